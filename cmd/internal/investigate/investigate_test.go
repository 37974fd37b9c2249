package investigate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	tell "github.com/rampload/rampload/report/investigate"
)

// service is a target that fails by a law of its own.
type service struct {
	fails func(p profiles.Profile) float64 // share of requests
	sent  []string
	most  float64 // requests per second
	after func(name string, r *report.Report) error
}

func (s *service) send(_ context.Context, name string, p profiles.Profile) (*report.Report, error) {
	s.sent = append(s.sent, name)
	s.most = max(s.most, tell.Rate(p))
	n := tell.Rate(p) * tell.Length(p).Seconds()
	r := &report.Report{Targets: []report.Target{{Name: "shop", Totals: report.Totals{Requests: uint64(n), Failed: uint64(n * s.fails(p))}}}}
	if s.after != nil {
		if err := s.after(name, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func peak(verdict string, causes ...string) (*report.Report, profiles.Profile) {
	p := profiles.Profile{
		Name:    "peak",
		Targets: []profiles.Target{{Name: "shop", URL: "http://127.0.0.1:1", Share: 1, Requests: []profiles.Request{{Method: "GET", Path: "/", Weight: 1}}}},
		Load:    profiles.Load{profiles.Ramp{From: 50, To: 400, For: time.Minute}},
		Client:  profiles.Client{Connections: 64},
	}
	r := &report.Report{
		Totals: report.Totals{AchievedRPSMax: 390}, Profile: report.Profile{MaxRPS: new(400.0)},
		Targets: []report.Target{{Name: "shop", Onset: report.Onset{Status: report.OnsetFound, LoadHighRPS: new(300.0)}, LatencyFromSendMS: report.Latency{P90: new(100.0)}}},
	}
	for _, c := range causes {
		r.Findings = append(r.Findings, report.Finding{Target: "shop", Verdict: verdict, Cause: c, Confidence: 0.9 / float64(len(causes)), Summary: "Shop fails."})
	}
	return r, p
}

// crowded fails beyond a number of connections, tooFast beyond a rate.
func crowded(p profiles.Profile) float64 {
	n := p.Client.Connections
	if held, ok := profiles.First[profiles.Connections](p.Load); ok {
		n = held.To
	}
	if n > 20 || n == 0 {
		return 0.3
	}
	return 0
}

func tooFast(p profiles.Profile) float64 { return max(0, 1-200/tell.Rate(p)) }

func TestDecides(t *testing.T) {
	for _, test := range []struct {
		name  string
		fails func(profiles.Profile) float64
		want  string
	}{
		{"a number of connections", crowded, "server-connection-limit"},
		{"a rate", tooFast, "rate-limit-policy"},
	} {
		before, p := peak("ambiguous", "rate-limit-policy", "server-connection-limit")
		s := &service{fails: test.fails}
		var out strings.Builder
		got, err := Run(t.Context(), before, p, Options{For: 10 * time.Second, Send: s.send, Stdout: &out})
		if err != nil {
			t.Fatal(err)
		}
		f := got.Report.Findings
		if !got.Decided || len(f) != 1 || f[0].Cause != test.want || f[0].Verdict != "explains" {
			t.Errorf("%s: decided %v, %+v\n%s", test.name, got.Decided, f, out.String())
		}
		if s.most > 390 {
			t.Errorf("%s: %v/s were sent, the run had sent 390/s", test.name, s.most)
		}
		if s.sent[0] != "unchanged" || len(s.sent) < 2 {
			t.Errorf("%s: sent %q", test.name, s.sent)
		}
		for _, want := range []string{"none above 345/s", "DECIDED", "Ctrl-C ends it"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q is not in\n%s", test.name, want, out.String())
			}
		}
	}
}

// What goes away by itself while experiments are made proves nothing.
func TestFailuresThatEndByThemselves(t *testing.T) {
	before, p := peak("ambiguous", "rate-limit-policy", "server-connection-limit")
	sent := 0
	s := &service{fails: func(profiles.Profile) float64 {
		if sent++; sent == 1 {
			return 0.3
		}
		return 0
	}}
	got, err := Run(t.Context(), before, p, Options{For: 10 * time.Second, Send: s.send, Stdout: &strings.Builder{}})
	if err != nil || got.Decided || got.Report.Findings[0].Verdict != "ambiguous" || got.Report.Findings[0].Confidence != 0.45 {
		t.Errorf("%v, decided %v: %+v", err, got.Decided, got.Report.Findings)
	}
	if !strings.Contains(got.Report.Investigation.Ended, "by themselves") {
		t.Errorf("ended: %s", got.Report.Investigation.Ended)
	}
}

// Where the load of the onset alone fails nobody, no experiment is made.
func TestNotReproduced(t *testing.T) {
	before, p := peak("ambiguous", "rate-limit-policy", "server-connection-limit")
	s := &service{fails: func(profiles.Profile) float64 { return 0 }}
	got, err := Run(t.Context(), before, p, Options{For: 10 * time.Second, Send: s.send, Stdout: &strings.Builder{}})
	if err != nil || len(s.sent) != 1 || got.Decided || !strings.Contains(got.Report.Investigation.Ended, "does not bring the failures back") {
		t.Errorf("%v, sent %q, ended %q", err, s.sent, got.Report.Investigation.Ended)
	}
}

// Failures without a suspect: what they depend on is said, and nothing is claimed.
func TestExplores(t *testing.T) {
	before, p := peak("unexplained", "unexplained")
	s := &service{fails: crowded}
	got, err := Run(t.Context(), before, p, Options{For: 5 * time.Second, Send: s.send, Stdout: &strings.Builder{}})
	if err != nil {
		t.Fatal(err)
	}
	f, told := got.Report.Findings[0], got.Report.Investigation
	if f.Verdict != "unexplained" || got.Decided || !strings.Contains(told.Depends, "depend on how many connections there are at once, and not on how many requests come in a second") || !strings.Contains(f.Summary, told.Depends) {
		t.Errorf("%+v\n%+v", f, told)
	}
}

func TestNothingOpen(t *testing.T) {
	for name, verdict := range map[string]string{"healthy": "healthy", "limited": "generator-limited"} {
		before, p := peak(verdict, verdict)
		if _, err := Run(t.Context(), before, p, Options{For: 5 * time.Second, Stdout: &strings.Builder{}}); !errors.Is(err, ErrNothing) {
			t.Errorf("%s: %v", name, err)
		}
	}
	before, p := peak("explains", "listen-backlog")
	before.Findings[0].Confidence = 0.99
	if _, err := Run(t.Context(), before, p, Options{For: 5 * time.Second, Stdout: &strings.Builder{}}); !errors.Is(err, ErrNothing) {
		t.Errorf("explained: %v", err)
	}
}

// An interrupt ends it at once; what was learnt is kept. A target that is gone too.
func TestEndsEarly(t *testing.T) {
	for _, test := range []struct {
		name        string
		after       func(name string, r *report.Report) error
		interrupted bool
		ended       string
	}{
		{"interrupted", func(name string, r *report.Report) error { r.Interrupted = name != "unchanged"; return nil }, true, "interrupted"},
		{"the target is gone", func(name string, _ *report.Report) error {
			if name != "unchanged" {
				return errors.New("it answers no connection")
			}
			return nil
		}, false, "could not be sent: it answers no connection"},
		{"this machine was the limit", func(_ string, r *report.Report) error {
			r.Generator = report.Generator{Limited: true, Reason: "no ports"}
			r.Targets[0].Requests /= 2
			return nil
		}, false, "this machine was the limit: no ports"},
	} {
		before, p := peak("ambiguous", "rate-limit-policy", "server-connection-limit")
		s := &service{fails: tooFast, after: test.after}
		got, err := Run(t.Context(), before, p, Options{For: 5 * time.Second, Send: s.send, Stdout: &strings.Builder{}})
		if err != nil || got.Interrupted != test.interrupted || got.Decided || !strings.Contains(got.Report.Investigation.Ended, test.ended) {
			t.Errorf("%s: %v, %+v", test.name, err, got.Report.Investigation)
		}
		if len(s.sent) > 2 {
			t.Errorf("%s: sent %q", test.name, s.sent)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, d := range []time.Duration{time.Second, time.Minute} {
		if err := (Options{For: d}).Check(); err == nil {
			t.Errorf("%s is taken", d)
		}
	}
}
