package verdicts

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/runlog"
)

// failing is a target of which so many requests failed.
func failing(name string, failed float64) *inquiry.Investigation {
	t := &evidence.Target{Info: runlog.Target{Name: name, ListenPort: 8000 + len(name)}}
	t.Total.Failed, t.Total.Attempts = failed, 20_000
	return &inquiry.Investigation{Case: &evidence.Case{Target: t}}
}

func TestOrder(t *testing.T) {
	for _, tt := range []struct {
		name     string
		failed   map[string]float64
		findings []Finding
		want     []string
	}{
		{
			"a cause of few failures after many unexplained",
			map[string]float64{"orders": 47, "pay": 13_839},
			[]Finding{{Target: "orders", Verdict: Explains}, {Target: "pay", Verdict: Unexplained}},
			[]string{"pay", "orders"},
		},
		{
			"a cause before as many unexplained",
			map[string]float64{"orders": 400, "pay": 800},
			[]Finding{{Target: "pay", Verdict: Unexplained}, {Target: "orders", Verdict: Explains}},
			[]string{"orders", "pay"},
		},
		{
			"the more failures first",
			map[string]float64{"orders": 400, "pay": 800},
			[]Finding{{Target: "orders", Verdict: Explains}, {Target: "pay", Verdict: Explains}},
			[]string{"pay", "orders"},
		},
		{
			"what fails before what the generator could not show",
			map[string]float64{"orders": 3, "pay": 800},
			[]Finding{{Target: "pay", Verdict: GeneratorLimited}, {Target: "orders", Verdict: Unexplained}, {Target: "cart", Verdict: Healthy}},
			[]string{"orders", "pay", "cart"},
		},
		{
			"candidates of a target together",
			map[string]float64{"orders": 500, "pay": 500},
			[]Finding{{Target: "orders", Verdict: Ambiguous}, {Target: "orders", Verdict: Ambiguous}, {Target: "pay", Verdict: Ambiguous}},
			[]string{"orders", "orders", "pay"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var cases []*inquiry.Investigation
			for name, n := range tt.failed {
				cases = append(cases, failing(name, n))
			}
			order(tt.findings, cases)
			var got []string
			for _, f := range tt.findings {
				got = append(got, f.Target)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("order %v, want %v", got, tt.want)
			}
		})
	}
	only := []Finding{{Target: "pay", Verdict: Unexplained, Summary: "Pay fails."}, {Target: "orders", Verdict: Explains}}
	order(only, []*inquiry.Investigation{failing("orders", 47), failing("pay", 13_839)})
	if want := "Pay fails. 13,839 of the run's 13,886 failures are its own."; only[0].Summary != want {
		t.Errorf("%q, want %q", only[0].Summary, want)
	}
}

func TestAdviceIsSaidOnce(t *testing.T) {
	var findings []Finding
	var cases []*inquiry.Investigation
	for i := range 19 {
		c := failing(strings.Repeat("t", i+1), 10)
		name := c.Target.Info.Name
		cases = append(cases, c)
		findings = append(findings, Finding{Target: name, Verdict: Unexplained, Advice: []string{
			"run as root here to capture the resets",
			fmt.Sprintf("watch the serving host of %s: run rampload probe --listen %d there", name, c.Target.Info.ListenPort),
		}})
	}
	findings[18].Advice = append(findings[18].Advice, "look at its log")
	adviseOnce(findings, cases)
	if got, want := findings[0].Advice[0], "run as root here to capture the resets (likewise for tt, ttt, tttt, ttttt, tttttt and 13 more)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for i, f := range findings[1:18] {
		for _, a := range f.Advice {
			if strings.HasPrefix(a, "run as root") {
				t.Errorf("finding %d says again %q", i+1, a)
			}
		}
	}
	if got := findings[18].Advice; !slices.Contains(got, "look at its log") || slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "run as root") }) {
		t.Errorf("the last has %q", got)
	}
}
