// Package boards holds what is made of a run's metrics elsewhere: a dashboard for Grafana
// and rules for Prometheus. Both say the same expressions, which the tests evaluate over a
// real run.
package boards

import (
	_ "embed" // the dashboard
	"fmt"
	"strings"
)

// dashboard.json is made of [Panels] with Grafana's own library (its schema is that of
// Grafana's classic dashboards), by go test ./cmd/internal/boards -update: the library
// stays out of the program.
//
//go:embed dashboard.json
var made string

// Dashboard returns the dashboard as JSON, to be imported into Grafana.
func Dashboard() string { return made }

// Shape is how a panel shows its queries.
type Shape string

// The shapes.
const (
	Number Shape = "number" // the latest value
	Word   Shape = "word"   // the label of the latest value
	Table  Shape = "table"  // labels of the latest values
	Course Shape = "course" // over time
)

// Panel is one panel of the dashboard.
type Panel struct {
	Row     string // that begins with it; empty: it stands in the row before
	Title   string
	About   string
	Shape   Shape
	Unit    string // of Grafana: "reqps", "s", "percentunit", "short"
	Width   uint32 // of 24
	Queries []Query
}

// Query is one expression. $run, $target and $__rate_interval are variables of Grafana.
type Query struct {
	Expr   string
	Legend string
	// Seldom says that a run has no data for it unless something of the kind happened.
	Seldom bool
}

// quantile is a percentile of a histogram, whichever kind a Prometheus took.
func quantile(q float64, name, by, match, span string) string {
	of, le := "", "le"
	if by != "" {
		of, le = " by ("+by+")", "le, "+by
	}
	return fmt.Sprintf("histogram_quantile(%g, sum by (%s) (rate(%s_bucket{%s}[%s]))) or histogram_quantile(%g, sum%s (rate(%s{%s}[%s])))", q, le, name, match, span, q, of, name, match, span)
}

const (
	ofRun    = `run="$run"`
	ofTarget = `run="$run", target=~"$target"`
	span     = "$__rate_interval"
)

// Panels are those of the dashboard, in order.
func Panels() []Panel {
	return []Panel{
		{Row: "The run", Title: "State", About: "baseline, load or over", Shape: Word, Width: 3, Queries: []Query{{Expr: `max by (state) (rampload_run_state{` + ofRun + `}) == 1`, Legend: "{{state}}"}}},
		{Title: "Stage", About: "The stage of the load that goes on.", Shape: Word, Width: 6, Queries: []Query{{Expr: `max by (stage, load) (rampload_stage{` + ofRun + `}) == 1`, Legend: "{{stage}}: {{load}}"}}},
		{Title: "Offered", About: "Load over the last second.", Shape: Number, Unit: "reqps", Width: 3, Queries: []Query{{Expr: `sum(rampload_offered_requests_per_second{` + ofTarget + `})`}}},
		{Title: "Connections reset", About: "Each counted once, idle ones too.", Shape: Number, Unit: "short", Width: 3, Queries: []Query{{Expr: `sum(rampload_wire_resets_total{` + ofTarget + `})`}}},
		{Title: "Requests failed", About: "Share of those that ended well or in a fault of the target.", Shape: Number, Unit: "percentunit", Width: 3, Queries: []Query{{Expr: `sum(rampload_requests_total{` + ofTarget + `, outcome="failed"}) / sum(rampload_requests_total{` + ofTarget + `, outcome=~"ok|failed"})`}}},
		{Title: "Exit code", About: "0 passed, 1 failed, 3 not carried out, 4 not judged, 130 interrupted. Known at the end.", Shape: Number, Unit: "none", Width: 6, Queries: []Query{{Expr: `max(rampload_exit_code{` + ofRun + `})`}}},
		{Title: "Verdict", About: "What the run came to. Known at the end.", Shape: Table, Width: 12, Queries: []Query{{Expr: `max by (target, verdict, cause, host, process, resource) (rampload_verdict{` + ofRun + `})`}}},
		{Title: "Gates", About: "Results so far: while the run goes on they are judged where notify is set.", Shape: Table, Width: 12, Queries: []Query{{Expr: `max by (gate, result) (rampload_gate{` + ofRun + `}) == 1`, Seldom: true}}},

		{Row: "Load", Title: "Offered and achieved", Shape: Course, Unit: "reqps", Width: 12, Queries: []Query{
			{Expr: `sum(rampload_offered_requests_per_second{` + ofTarget + `})`, Legend: "offered"},
			{Expr: `sum(rampload_achieved_requests_per_second{` + ofTarget + `})`, Legend: "achieved"},
			{Expr: `sum(rate(rampload_attempts_total{` + ofTarget + `}[` + span + `]))`, Legend: "attempts"},
		}},
		{Title: "Sent by worker", Shape: Course, Unit: "reqps", Width: 6, Queries: []Query{{Expr: `sum by (worker) (rampload_achieved_requests_per_second{` + ofTarget + `})`, Legend: "{{worker}}"}}},
		{Title: "In flight and open", Shape: Course, Unit: "short", Width: 6, Queries: []Query{
			{Expr: `sum(rampload_requests_in_flight{` + ofTarget + `})`, Legend: "requests in flight"},
			{Expr: `sum(rampload_connections_open{` + ofTarget + `})`, Legend: "open connections"},
			{Expr: `sum(rate(rampload_dials_total{` + ofTarget + `}[` + span + `]))`, Legend: "dials a second"},
		}},

		{Row: "Faults", Title: "Faults by phase", About: "Failed attempts a second.", Shape: Course, Unit: "cps", Width: 8, Queries: []Query{{Expr: `sum by (fault, phase) (rate(rampload_faults_total{` + ofTarget + `}[` + span + `])) > 0`, Legend: "{{fault}} in {{phase}}", Seldom: true}}},
		{Title: "Connections reset by target", Shape: Course, Unit: "cps", Width: 8, Queries: []Query{{Expr: `sum by (target) (rate(rampload_wire_resets_total{` + ofTarget + `}[` + span + `]))`, Legend: "{{target}}"}}},
		{Title: "Who sent the resets", About: "As the kernels of watched hosts saw it.", Shape: Course, Unit: "cps", Width: 8, Queries: []Query{{Expr: `sum by (host, process, reason) (rate(rampload_resets_sent_total{` + ofRun + `}[` + span + `]))`, Legend: "{{process}} on {{host}}: {{reason}}", Seldom: true}}},
		{Title: "Responses by status", Shape: Course, Unit: "reqps", Width: 12, Queries: []Query{{Expr: `sum by (status) (rate(rampload_responses_total{` + ofTarget + `}[` + span + `]))`, Legend: "{{status}}"}}},
		{Title: "Unsent, and the generator's own faults", Shape: Course, Unit: "cps", Width: 12, Queries: []Query{
			{Expr: `sum(rate(rampload_requests_unsent_total{` + ofTarget + `}[` + span + `]))`, Legend: "unsent"},
			{Expr: `sum(rate(rampload_faults_total{` + ofTarget + `, fault=~"ports-exhausted|fds-exhausted|no-buffers"}[` + span + `])) or vector(0)`, Legend: "faults of the generator"},
		}},

		{Row: "Latency", Title: "From when requests were due", About: "Of successful requests.", Shape: Course, Unit: "s", Width: 12, Queries: []Query{
			{Expr: quantile(0.5, "rampload_request_duration_seconds", "", ofTarget, span), Legend: "p50"},
			{Expr: quantile(0.9, "rampload_request_duration_seconds", "", ofTarget, span), Legend: "p90"},
			{Expr: quantile(0.99, "rampload_request_duration_seconds", "", ofTarget, span), Legend: "p99"},
		}},
		{Title: "From when they were sent, p99 by target", Shape: Course, Unit: "s", Width: 6, Queries: []Query{{Expr: quantile(0.99, "rampload_response_duration_seconds", "target", ofTarget, span), Legend: "{{target}}"}}},
		{Title: "Generator lag, p99", About: "By how much rampload sent requests late.", Shape: Course, Unit: "s", Width: 6, Queries: []Query{{Expr: quantile(0.99, "rampload_schedule_lag_seconds", "worker", ofTarget, span), Legend: "{{worker}}"}}},

		{Row: "Resources", Title: "Fullest resources", About: "Use as a share of the limit.", Shape: Course, Unit: "percentunit", Width: 12, Queries: []Query{{Expr: `topk(12, max by (host, process, resource, instance) (rampload_resource_used{` + ofRun + `} / rampload_resource_limit{` + ofRun + `}))`, Legend: "{{resource}} {{instance}} {{process}} on {{host}}"}}},
		{Title: "What was full", About: "Counters that move only when a limit was hit, a second.", Shape: Course, Unit: "cps", Width: 12, Queries: []Query{{Expr: `sum by (host, process, resource) (rate(rampload_exhaustion_total{` + ofRun + `, unit=~"events|packets"}[` + span + `]))`, Legend: "{{resource}} {{process}} on {{host}}"}}},
	}
}

// Rule is one rule of Prometheus. Without Alert it is a recording rule.
type Rule struct {
	Record, Alert string
	Value         string // what is recorded, or compared
	Above, Below  *float64
	For           string
	Summary       string
	Severity      string
	// Seldom says that a run has no value for it unless something of the kind happened.
	Seldom bool
}

// Expr is the rule's expression.
func (r Rule) Expr() string {
	switch {
	case r.Above != nil:
		return fmt.Sprintf("%s > %g", r.Value, *r.Above)
	case r.Below != nil:
		return fmt.Sprintf("%s < %g", r.Value, *r.Below)
	}
	return r.Value
}

// Rules are those for Prometheus, the recording ones first.
func Rules() []Rule {
	return []Rule{
		{Record: "rampload:offered:rps", Value: "sum by (run) (rampload_offered_requests_per_second)"},
		{Record: "rampload:achieved:rps", Value: "sum by (run) (rampload_achieved_requests_per_second)"},
		{Record: "rampload:failures:ratio1m", Value: `sum by (run, target) (rate(rampload_requests_total{outcome="failed"}[1m])) / sum by (run, target) (rate(rampload_requests_total{outcome=~"ok|failed"}[1m]))`},
		{Record: "rampload:request_duration_seconds:p99_1m", Value: quantile(0.99, "rampload_request_duration_seconds", "run, target", "", "1m")},
		{Record: "rampload:resource:utilisation", Value: "max by (run, worker, host, process, resource, instance) (rampload_resource_used / rampload_resource_limit)"},

		{Alert: "RamploadConnectionsReset", Value: "sum by (run, target) (increase(rampload_wire_resets_total[1m]))", Above: new(0.0), Severity: "warning", Summary: "{{ $labels.target }}: {{ $value | printf \"%.0f\" }} connections were reset in a minute"},
		{Alert: "RamploadRequestsFail", Value: `sum by (run, target) (rate(rampload_requests_total{outcome="failed"}[1m])) / sum by (run, target) (rate(rampload_requests_total{outcome=~"ok|failed"}[1m]))`, Above: new(0.01), Severity: "warning", Summary: "{{ $labels.target }}: {{ $value | humanizePercentage }} of requests fail"},
		{Alert: "RamploadGateFailed", Value: `max by (run, gate) (rampload_gate{result="failed"})`, Above: new(0.0), Severity: "critical", Seldom: true, Summary: "gate failed: {{ $labels.gate }}"},
		{Alert: "RamploadRunFailed", Value: "max by (run) (rampload_exit_code)", Above: new(0.0), Severity: "critical", Summary: "the run ended with exit code {{ $value }}"},
		{Alert: "RamploadResourceNearlyFull", Value: `max by (run, host, process, resource, instance) (rampload_resource_used{resource!~"cpu.*|process-cpu|cgroup-cpu|memory|swap"} / rampload_resource_limit{resource!~"cpu.*|process-cpu|cgroup-cpu|memory|swap"})`, Above: new(0.95), Severity: "warning", Summary: "{{ $labels.resource }} {{ $labels.instance }} of {{ $labels.process }} on {{ $labels.host }} is {{ $value | humanizePercentage }} full"},
		{Alert: "RamploadLimitHit", Value: `sum by (run, host, process, resource) (increase(rampload_exhaustion_total{unit=~"events|packets"}[1m]))`, Above: new(0.0), Severity: "warning", Summary: "{{ $labels.resource }} of {{ $labels.process }} on {{ $labels.host }}: a limit was hit"},
		{Alert: "RamploadLoadNotReached", Value: "sum by (run) (avg_over_time(rampload_achieved_requests_per_second[30s])) / sum by (run) (avg_over_time(rampload_offered_requests_per_second[30s]))", Below: new(0.98), For: "30s", Severity: "warning", Summary: "only {{ $value | humanizePercentage }} of the load is sent"},
		{Alert: "RamploadGeneratorLate", Value: quantile(0.99, "rampload_schedule_lag_seconds", "run, worker", "", "1m"), Above: new(0.025), For: "30s", Severity: "warning", Summary: "{{ $labels.worker }} sends requests {{ $value | humanizeDuration }} late (p99): the generator is near its limit"},
		{Alert: "RamploadUnsent", Value: "sum by (run, worker) (increase(rampload_requests_unsent_total[1m]))", Above: new(0.0), Severity: "warning", Summary: "{{ $labels.worker }} did not send {{ $value | printf \"%.0f\" }} requests in a minute"},
	}
}

// RulesFile returns the rules as a file for Prometheus.
func RulesFile() string {
	var b strings.Builder
	b.WriteString("# Rules for Prometheus over the metrics of rampload's runs: rule_files in its\n# configuration names this file. Thresholds are meant to be changed.\ngroups:\n- name: rampload\n  interval: 5s\n  rules:\n")
	for _, r := range Rules() {
		if r.Record != "" {
			fmt.Fprintf(&b, "  - record: %s\n    expr: %s\n", r.Record, quoted(r.Expr()))
			continue
		}
		fmt.Fprintf(&b, "  - alert: %s\n    expr: %s\n", r.Alert, quoted(r.Expr()))
		if r.For != "" {
			fmt.Fprintf(&b, "    for: %s\n", r.For)
		}
		fmt.Fprintf(&b, "    labels: {severity: %s}\n    annotations:\n      summary: %s\n", r.Severity, quoted(r.Summary))
	}
	return b.String()
}

// quoted is a text as a scalar of YAML.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
