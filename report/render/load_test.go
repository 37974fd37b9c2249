package render

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render/layout"
)

func table(t *testing.T, r *report.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := Table(&b, r, layout.Options{Width: 160}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWordsOfLoads(t *testing.T) {
	leak := leaked()
	for name, c := range map[string]struct {
		r            *report.Report
		want, refuse []string
	}{
		"a constant load": {leak, []string{
			"FAILED  payments times out after 16 s of a constant 120/s: pid 4127 ran out of open files; everything had been sent when abort-if",
			"onset      after 16 s of a constant 120/s, when the requests were due that failed 3.4 s later; before: 0 of 1,950",
			"with time", "16-16.5 s", "from start",
		}, []string{"ABORTED", "120-120", "from 120/s", "always full", "120%", "established", "7.3 s"}},
		"held connections": {held(), []string{
			"FOUND  payments resets from 755 connections on: one cause fits, but the evidence does not prove it: pid 4127 ran out of open files",
			"onset      755 connections (745-763) at", "candidate  server-file-descriptors",
			"755 connections       745-763",
		}, []string{"1,510/s (", "1,510/s  ", "more than one", "candidates"}},
		"a pass": {nearFull(), []string{
			"no failures up to 2,000 connections", "nearest    open files of orders[4711] on orders-1: 61% of 1,024; cpu on orders-1: 100%",
		}, nil},
		"an idle processor": {passed(), []string{"nearest    open files of orders[4711] on orders-1: 61% of 1,024\n"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := table(t, c.r)
			for _, s := range c.want {
				if !strings.Contains(got, s) {
					t.Errorf("no %q", s)
				}
			}
			for _, s := range c.refuse {
				if strings.Contains(got, s) {
					t.Errorf("%q is there", s)
				}
			}
			if t.Failed() {
				t.Log(got)
			}
		})
	}
}

// Ports in TIME_WAIT are what holds the ports: they are not ruled out by being
// far from a limit of their own.
func TestTimeWaitHoldsPorts(t *testing.T) {
	r := found()
	wait := report.Resource{Host: "payments-1", Name: "time-wait", Kind: "hard-limit", Unit: "sockets", Limit: ptr(131072), Peak: ptr(150), Utilisation: ptr(0.0011), Verdict: "headroom"}
	r.Resources = append(r.Resources, wait)
	f := &r.Findings[0]
	if got := ruledOut(r, *f); !strings.Contains(got, "time wait") {
		t.Errorf("open files: %q does not rule out time wait", got)
	}
	f.Cause, f.Resource = "proxy-ephemeral-ports", "ephemeral-ports"
	if got := ruledOut(r, *f); strings.Contains(got, "time wait") {
		t.Errorf("ports: %q", got)
	}
}

// An abort that struck before the end of the load stopped it.
func TestAbortOfALoad(t *testing.T) {
	r := leaked()
	r.Ended = r.Started.Add(20e9)
	if word, _, line := verdict(r); word != wordAborted || !strings.HasPrefix(line, "after 20 s by abort-if") {
		t.Errorf("%s %s", word, line)
	}
}

func TestLoadUnits(t *testing.T) {
	r := &report.Report{Profile: report.Profile{Stages: []report.Stage{
		{Kind: "hold", EndS: 10, FromRPS: 50, ToRPS: 50, LoadUnit: report.LoadRPS},
		{Kind: "connections", StartS: 10, EndS: 20, FromRPS: 10, ToRPS: 3000, LoadUnit: report.LoadConnections, PerConnectionRPS: 2},
	}}}
	for _, c := range []struct {
		rps  float64
		at   *float64
		want string
	}{
		{50, ptr(5), "50/s"}, {3000, ptr(15), "1,500 connections"}, {2, ptr(15), "1 connection"}, {3000, ptr(25), "1,500 connections"}, {3000, nil, "3,000/s"},
	} {
		if got := load(r, &c.rps, c.at); got != c.want {
			t.Errorf("%v at %v: %q, want %q", c.rps, c.at, got, c.want)
		}
	}
	if got := load(r, nil, nil); got != layout.None {
		t.Errorf("%q of nothing", got)
	}
}
