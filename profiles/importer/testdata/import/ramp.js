import http from 'k6/http';
export const options = {
  // from the load test of the release
  scenarios: {
    peak: { executor: 'ramping-arrival-rate', startRate: 600, timeUnit: '1m', preAllocatedVUs: 50,
      stages: [ { target: 6000, duration: '2m' }, { target: 6_000, duration: "1m" }, ] },
  },
  thresholds: { http_req_failed: ['rate<0.01'], 'http_req_duration': ["p(95)<200", { threshold: 'avg<100' }] },
  discardResponseBodies: true,
};
export default function () { http.get('http://test.k6.io/'); }
