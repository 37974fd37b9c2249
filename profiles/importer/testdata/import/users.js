import http from "k6/http";
export let options = { vus: 10, stages: [{duration: '30s', target: 100}, {duration: '1m', target: 100}] };
