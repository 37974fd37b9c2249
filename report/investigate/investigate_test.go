package investigate

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/answers"
	"github.com/rampload/rampload/report/diagnose/causes"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// The experiment that tells most is chosen, and what it shows decides.
func TestExperimentsDecide(t *testing.T) {
	all := []inquiry.Experiment{inquiry.Fresh, inquiry.Kept, inquiry.HalfConcurrency, inquiry.HalfRate, inquiry.Small, inquiry.Large, inquiry.GapBelow, inquiry.TwoSources}
	for _, test := range []struct {
		name  string
		left  Belief
		first inquiry.Experiment
		ends  inquiry.Outcome
		want  string
	}{
		{"rate or number", Belief{{"rate-limit-policy", 0.5}, {"server-connection-limit", 0.45}}, inquiry.HalfConcurrency, inquiry.Stays, "rate-limit-policy"},
		{"number or rate", Belief{{"rate-limit-policy", 0.5}, {"server-connection-limit", 0.45}}, inquiry.HalfConcurrency, inquiry.Goes, "server-connection-limit"},
		{"size or abort", Belief{{"application-abort", 0.5}, {"mtu-black-hole", 0.4}}, inquiry.Small, inquiry.Goes, "mtu-black-hole"},
		{"rest or abort", Belief{{"application-abort", 0.5}, {"idle-timeout-race", 0.4}}, inquiry.Fresh, inquiry.Goes, "idle-timeout-race"},
	} {
		e, ok := test.left.Next(all)
		if !ok {
			t.Errorf("%s: no experiment", test.name)
			continue
		}
		predicts := func(key string) inquiry.Outcome { return causes.Predicts(key, e) }
		if a, b := predicts(test.left[0].Cause), predicts(test.left[1].Cause); a == b {
			t.Errorf("%s: %s tells nothing apart", test.name, e)
		}
		after := test.left.After(test.first, test.ends)
		if after[0].Cause != test.want || after[0].Share < 0.55 {
			t.Errorf("%s: %v after %s %s, want %s", test.name, after, test.first, test.ends, test.want)
		}
	}
}

func TestNothingLeftToTell(t *testing.T) {
	all := []inquiry.Experiment{inquiry.Fresh, inquiry.HalfRate}
	for name, b := range map[string]Belief{
		"one is left":     {{"rate-limit-policy", 0.97}, {"server-connection-limit", 0.02}},
		"nobody predicts": {{"deadlock", 0.5}, {"disk-saturated", 0.4}},
		"none":            nil,
	} {
		if e, ok := b.Next(all); ok {
			t.Errorf("%s: %s", name, e)
		}
	}
	b := Belief{{"rate-limit-policy", 0.6}, {"server-connection-limit", 0.3}}
	if sum := func(b Belief) float64 { return b[0].Share + b[1].Share + b.other() }; sum(b.After(inquiry.HalfRate, inquiry.Goes)) > 1.02 {
		t.Error("beliefs add up to more than one")
	}
}

func TestCompareCounts(t *testing.T) {
	for _, test := range []struct {
		reference, changed Counts
		want               inquiry.Outcome
	}{
		{Counts{2000, 200}, Counts{2000, 0}, inquiry.Goes},
		{Counts{2000, 200}, Counts{2000, 190}, inquiry.Stays},
		{Counts{2000, 200}, Counts{2000, 90}, inquiry.Unsure},
		{Counts{2000, 6}, Counts{2000, 0}, inquiry.Unsure}, // by chance
		{Counts{2000, 200}, Counts{5, 0}, inquiry.Unsure},
		{Counts{2000, 200}, Counts{400, 400}, inquiry.Stays},
	} {
		if got := Compare(test.reference, test.changed); got != test.want {
			t.Errorf("%v then %v: %s, want %s", test.reference, test.changed, got, test.want)
		}
	}
}

func sample() (*report.Report, profiles.Profile) {
	p := profiles.Profile{
		Name: "peak",
		Targets: []profiles.Target{{
			Name: "shop", URL: "http://10.0.0.1", Share: 1,
			Requests: []profiles.Request{{Method: "GET", Path: "/a", Weight: 1}, {Method: "POST", Path: "/b", Weight: 1}},
		}},
		Load:   profiles.Load{profiles.Ramp{From: 50, To: 400, For: time.Minute}},
		Client: profiles.Client{Connections: 64, Retries: profiles.Retries{Max: 2}},
		Gate:   []profiles.Gate{{}},
	}
	r := &report.Report{
		Totals:  report.Totals{AchievedRPSMax: 390},
		Profile: report.Profile{MaxRPS: new(400.0)},
		Targets: []report.Target{{
			Name: "shop", Onset: report.Onset{Status: report.OnsetFound, LoadHighRPS: new(380.0)},
			LatencyFromSendMS: report.Latency{P90: new(100.0)},
			ByRequest:         []answers.Request{{Name: "GET /a", SentBytes: new(180.0), ReceivedBytes: new(20.0)}, {Name: "POST /b", SentBytes: new(2200.0)}},
			ByAddress:         []report.Address{{Address: "10.0.0.1:80", Attempts: 100, Failed: 90}, {Address: "10.0.0.2:80", Attempts: 100}},
		}},
		Findings: []report.Finding{{Target: "shop", Verdict: "ambiguous", Cause: "idle-timeout-race", Confidence: 0.5, IdleS: new(2.0)}},
	}
	return r, p
}

// Every experiment differs in what it says, is shorter than 30 s, and sends no more than
// the run had sent.
func TestChanges(t *testing.T) {
	r, p := sample()
	plan, err := NewPlan(r, p, "shop", 15*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if plan.Load != 390 {
		t.Errorf("load %v: above what was sent, or below the onset", plan.Load)
	}
	plan.First, plan.Beside = netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	plan.Direct = "http://10.0.0.9"
	can := plan.Can()
	for _, want := range []inquiry.Experiment{
		inquiry.HalfConcurrency, inquiry.HalfRate, inquiry.Fresh, inquiry.GapBelow, inquiry.GapAbove, inquiry.Small, inquiry.Large,
		inquiry.OneAddress, inquiry.OtherAddresses, inquiry.TwoSources, inquiry.NoRetries, inquiry.AroundProxy,
	} {
		if !slices.Contains(can, want) {
			t.Errorf("%s cannot be made", want)
			continue
		}
		q, what, _ := plan.Change(want)
		if what == "" || len(q.Gate) != 0 {
			t.Errorf("%s: %q, gates %v", want, what, q.Gate)
		}
		rate, length := 0.0, time.Duration(0)
		for _, s := range q.Load {
			length += s.Duration()
			most, _ := s.MaxRate(q.Client.PerConnection)
			rate = max(rate, most)
		}
		if rate > 390.001 || length > 30*time.Second {
			t.Errorf("%s: %v/s for %v", want, rate, length)
		}
	}
	if slices.Contains(can, inquiry.Kept) {
		t.Error("connections are kept already")
	}
	if q, _, _ := plan.Change(inquiry.Small); len(q.Targets[0].Requests) != 1 || q.Targets[0].Requests[0].Path != "/a" {
		t.Errorf("small: %+v", q.Targets[0].Requests)
	}
	if len(p.Targets[0].Requests) != 2 || p.Client.Connections != 64 {
		t.Error("an experiment changed the profile that it was made of")
	}
	p.Client.Connections = 0
	if fresh, err := NewPlan(r, p, "shop", 15*time.Second); err != nil || slices.Contains(fresh.Can(), inquiry.HalfConcurrency) || !slices.Contains(fresh.Can(), inquiry.Kept) {
		t.Errorf("with a connection for each request: %v, %v", err, fresh.Can())
	}
	if q, _, _ := plan.Change(inquiry.OtherAddresses); q.Targets[0].ConnectTo != "10.0.0.2:80" {
		t.Errorf("the other address: %q", q.Targets[0].ConnectTo)
	}
}

func TestConclude(t *testing.T) {
	r, _ := sample()
	r.Findings = []report.Finding{
		{Target: "shop", Verdict: "ambiguous", Cause: "rate-limit-policy", Confidence: 0.5, Summary: "Shop fails. The evidence does not settle it: x."},
		{Target: "shop", Verdict: "ambiguous", Cause: "server-connection-limit", Confidence: 0.4},
		{Target: "other", Verdict: "healthy", Cause: "healthy"},
	}
	told := report.Investigation{
		Target: "shop", Experiments: []report.Experiment{{Name: "half-concurrency", Outcome: "goes", Tells: "they end"}},
		Candidates: []report.Candidate{{Cause: "server-connection-limit", After: 0.96}, {Cause: "rate-limit-policy", After: 0.02}},
	}
	out := Conclude(r, told)
	if len(out.Findings) != 2 || out.Findings[0].Cause != "server-connection-limit" || out.Findings[0].Verdict != "explains" || len(out.Findings[0].Evidence) != 1 {
		t.Errorf("%+v", out.Findings)
	}
	if r.Findings[0].Confidence != 0.5 || r.Investigation != nil {
		t.Error("the old report changed")
	}
	if out := Conclude(r, report.Investigation{Target: "shop"}); out.Findings[0].Verdict != "ambiguous" || len(out.Findings) != 3 {
		t.Errorf("without an experiment: %+v", out.Findings)
	}
}
