package prom

import (
	"strings"

	dto "github.com/prometheus/client_model/go"

	"github.com/rampload/rampload/probe"
)

// counting is where a kind of service counts the requests that it has answered.
type counting struct {
	metric string // a counter, or the histogram or summary of how long they took
	// status is the label with the status; "" where failed is the counter of the 5xx, or
	// nothing tells them.
	status string
	failed string
	of     [2]string // label and value of the series of failed that count
	except [2]string // label and value of series that are not the service's own traffic
}

// countings are, the surest first: of a page that has several the first one counts. The
// names are those of HAProxy, Envoy, Traefik, Caddy, Istio, nginx' and Apache's exporters,
// Micrometer, OpenTelemetry's conventions and what Prometheus' own client libraries show.
func countings() []counting {
	return []counting{
		{metric: "haproxy_frontend_http_requests_total", failed: "haproxy_frontend_http_responses_total", of: [2]string{"code", "5xx"}},
		{metric: "envoy_http_downstream_rq_total", failed: "envoy_http_downstream_rq_xx", of: [2]string{"envoy_response_code_class", "5"}, except: [2]string{"envoy_http_conn_manager_prefix", "admin"}},
		{metric: "traefik_entrypoint_requests_total", status: "code"},
		{metric: "istio_requests_total", status: "response_code"},
		{metric: "caddy_http_request_duration_seconds", status: "code"},
		{metric: "nginx_vts_server_requests_total", status: "code", except: [2]string{"host", "*"}},
		{metric: "nginx_http_requests_total"},
		{metric: "apache_accesses_total"},
		{metric: "http_server_requests_seconds", status: "status"},
		{metric: "http_server_request_duration_seconds", status: "http_response_status_code"},
		{metric: "http_requests_total", status: "code"},
		{metric: "http_request_duration_seconds", status: "code"},
	}
}

// requests emits how many requests a service says that it has answered.
func (mapped *mapping) requests(r *reading) {
	for _, c := range countings() {
		all := r.series(c.metric)
		if len(all) == 0 {
			continue
		}
		served, refused := 0.0, 0.0
		told := c.failed != ""
		for _, s := range all {
			if c.except[0] != "" && label(s, c.except[0]) == c.except[1] {
				continue
			}
			n := counted(s)
			served += n
			if status := statusOf(s, c.status); status != "" {
				told = true
				if strings.HasPrefix(status, "5") {
					refused += n
				}
			}
		}
		for _, s := range r.series(c.failed) {
			if label(s, c.of[0]) == c.of[1] && (c.except[0] == "" || label(s, c.except[0]) != c.except[1]) {
				refused += counted(s)
			}
		}
		r.put(mapped.metric(probe.Served, c.metric), served, probe.NoLimit())
		if told {
			r.put(mapped.metric(probe.Refused, c.metric), refused, probe.NoLimit())
		}
		return
	}
}

// statusOf returns the status of a series by its label, or by the other names that
// libraries give it.
func statusOf(s *dto.Metric, name string) string {
	if name == "" {
		return ""
	}
	for _, l := range [...]string{name, "status", "code", "status_code"} {
		if v := label(s, l); v != "" {
			return v
		}
	}
	return ""
}

// counted returns the count of a counter, or of a histogram or summary.
func counted(m *dto.Metric) float64 {
	switch {
	case m.Histogram != nil:
		return float64(m.Histogram.GetSampleCount())
	case m.Summary != nil:
		return float64(m.Summary.GetSampleCount())
	}
	return value(m)
}
