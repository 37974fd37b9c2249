package eval

import (
	"math"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

// finds makes findings of causes; the first has the verdict.
func finds(v diagnose.Verdict, causes ...string) diagnose.Result {
	var r diagnose.Result
	for _, c := range causes {
		r.Findings = append(r.Findings, diagnose.Finding{Target: "orders", Verdict: v, Cause: c, Confidence: 0.9})
	}
	return r
}

func TestJudgeVerdicts(t *testing.T) {
	fault := Case{Causes: []string{"listen-backlog", "server-threads"}}
	control, unseen, client := Case{Causes: []string{"healthy"}}, Case{Causes: []string{"unexplained", "application-abort"}}, Case{Causes: []string{"client-cpu"}}
	late := Case{Causes: []string{"healthy", "degraded", "packet-loss"}}
	for _, test := range []struct {
		name string
		c    Case
		r    diagnose.Result
		want Judgement
	}{
		{"right", fault, finds(diagnose.Explains, "listen-backlog"), Judgement{Right: true, Rank: 1}},
		{"also right", fault, finds(diagnose.Explains, "server-threads"), Judgement{Right: true, Rank: 1}},
		{"wrong", fault, finds(diagnose.Explains, "conntrack-table"), Judgement{WrongExplains: true}},
		{"right among others", fault, finds(diagnose.Ambiguous, "conntrack-table", "conntrack-table", "syn-backlog", "listen-backlog"), Judgement{Rank: 3, Abstained: true}},
		{"right and in doubt", fault, finds(diagnose.Ambiguous, "listen-backlog", "syn-backlog"), Judgement{Right: true, Rank: 1, Abstained: true}},
		{"unexplained", fault, finds(diagnose.Unexplained, "unexplained"), Judgement{Abstained: true}},
		{"called healthy", fault, finds(diagnose.Healthy, "healthy"), Judgement{Missed: true}},
		{"busy machine", fault, finds(diagnose.GeneratorLimited, "client-cpu"), Judgement{Abstained: true, Disturbed: true}},
		{"healthy", control, finds(diagnose.Healthy, "healthy"), Judgement{Right: true, Rank: 1}},
		{"late, as it should be", late, finds(diagnose.Degraded, "packet-loss"), Judgement{Right: true, Rank: 1}},
		{"not late, though it may be", late, finds(diagnose.Healthy, "healthy"), Judgement{Right: true, Rank: 1}},
		{"late, and for another reason", late, finds(diagnose.Degraded, "process-paused"), Judgement{}},
		{"late in health", control, finds(diagnose.Degraded, "packet-loss"), Judgement{}},
		{"accused in health", control, finds(diagnose.Explains, "process-crash"), Judgement{WrongExplains: true}},
		{"admitted", unseen, finds(diagnose.Unexplained, "unexplained"), Judgement{Right: true, Rank: 1, Abstained: true}},
		{"guessed well", unseen, finds(diagnose.Explains, "application-abort"), Judgement{Right: true, Rank: 1}},
		{"invented", unseen, finds(diagnose.Explains, "process-crash"), Judgement{WrongExplains: true}},
		{"generator", client, finds(diagnose.GeneratorLimited, "client-cpu"), Judgement{Right: true, Rank: 1}},
		{"server blamed", client, finds(diagnose.Explains, "client-timeout"), Judgement{WrongExplains: true}},
	} {
		got := Judge(test.c, sampleLog(), test.r)
		got.Onset = Onset{}
		test.want.Verdict, test.want.Cause, test.want.Confidence = test.r.Findings[0].Verdict, test.r.Findings[0].Cause, 0.9
		if got != test.want {
			t.Errorf("%s:\n got %+v\nwant %+v", test.name, got, test.want)
		}
	}
}

func TestJudgeRuledOut(t *testing.T) {
	files := Case{Causes: []string{"server-file-descriptors"}, Resource: probe.OpenFiles}
	room := func(v diagnose.ResourceVerdict, host, process string) diagnose.Resource {
		return diagnose.Resource{Metric: probe.Metric{Host: host, Process: process, Name: probe.OpenFiles}, Verdict: v}
	}
	wrong := func(resources ...diagnose.Resource) diagnose.Result {
		r := finds(diagnose.Unexplained, "unexplained")
		r.Resources = resources
		return r
	}
	says := func(cause, what string) diagnose.Result {
		r := finds(diagnose.Explains, cause)
		r.Findings[0].RuledOut = []diagnose.Exclusion{{What: what}}
		return r
	}
	for _, test := range []struct {
		name string
		c    Case
		r    diagnose.Result
		want bool
	}{
		{"had room", files, wrong(room(diagnose.Headroom, "s", "api")), true},
		{"only the generator's had room", files, wrong(room(diagnose.Headroom, "local", "rampload"), room(diagnose.Candidate, "s", "api")), false},
		{"one of two processes had room", files, wrong(room(diagnose.RuledOut, "s", "master"), room(diagnose.Candidate, "s", "worker")), false},
		{"not measured", files, wrong(), false},
		{"of another host", Case{Causes: files.Causes, Resource: files.Resource, Host: "upstream"}, wrong(room(diagnose.Headroom, "s", "api")), false},
		{"named though it had room", files, func() diagnose.Result {
			r := finds(diagnose.Ambiguous, "server-threads", "server-file-descriptors")
			r.Resources = []diagnose.Resource{room(diagnose.Headroom, "s", "api")}
			return r
		}(), false},
		{"path", Case{Causes: []string{"path-rate-limit"}}, says("rate-limit-policy", "the path (firewall)"), true},
		{"crash", Case{Causes: []string{"worker-killed"}}, says("client-timeout", "crash or restart"), true},
		{"another group", Case{Causes: []string{"worker-killed"}}, says("client-timeout", "the path"), false},
		{"generator", Case{Causes: []string{"client-cpu"}}, says("client-timeout", "generator"), true},
	} {
		if got := Judge(test.c, sampleLog(), test.r).RuledOut; got != test.want {
			t.Errorf("%s: ruled out %v", test.name, got)
		}
	}
}

func TestJudgePlace(t *testing.T) {
	c := Case{Causes: []string{"listen-backlog"}, Host: "orders-1", Resource: probe.ListenQueue}
	for _, test := range []struct {
		host, resource string
		want           Place
	}{
		{"orders-1", probe.ListenQueue, RightPlace},
		{"orders-1", probe.ListenOverflows, RightPlace},
		{"orders-1", probe.OpenFiles, WrongPlace},
		{"local", probe.ListenQueue, WrongPlace},
	} {
		r := finds(diagnose.Explains, "listen-backlog")
		r.Findings[0].Host, r.Findings[0].Resource = test.host, test.resource
		if got := Judge(c, sampleLog(), r).Place; got != test.want {
			t.Errorf("%s on %s: place %d, want %d", test.resource, test.host, got, test.want)
		}
	}
	if got := Judge(c, sampleLog(), finds(diagnose.Explains, "syn-backlog")).Place; got != NotAsked {
		t.Errorf("a wrong cause has place %d", got)
	}
	if got := Judge(Case{Causes: c.Causes}, sampleLog(), finds(diagnose.Explains, "listen-backlog")).Place; got != NotAsked {
		t.Errorf("no place expected, and got %d", got)
	}
}

func TestJudgeOnset(t *testing.T) {
	log := sampleLog() // windows of 0.25 s, 100 to 500/s over 20 s
	harm := func(at float64) lab.Truth {
		return lab.Truth{First: log.Header.Started.Add(time.Duration(at * float64(time.Second)))}
	}
	found := func(o diagnose.Onset) diagnose.Result {
		r := finds(diagnose.Explains, "x")
		r.Targets = []diagnose.TargetResult{{Name: "other"}, {Name: "orders", Onsets: []diagnose.Onset{o}}}
		return r
	}
	o := diagnose.Onset{
		Status: diagnose.Found, Fault: attack.Reset,
		At: diagnose.Span{Value: 10, Low: 9, High: 11}, Load: diagnose.Span{Value: 300}, EventDelay: 0.5,
	}
	fail := func(fault attack.Fault, due, end float64) {
		at := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
		log.Failures = []attack.Failure{
			{Attempt: attack.Attempt{Fault: fault, Due: at(due - 4), End: at(end - 4)}},
			{Attempt: attack.Attempt{Fault: fault, Due: at(due), End: at(end)}},
			{Attempt: attack.Attempt{Fault: fault, Due: at(due + 0.1), End: at(end + 0.1)}},
		}
	}
	// Reset at 10 s, it was due at 9.5 s: two windows late. Of 290/s, 10/s too much.
	fail(attack.Reset, 9.5, 10)
	got := Judge(Case{Causes: []string{"x"}, LoadLow: 280, LoadHigh: 320, Truth: harm(10)}, log, found(o)).Onset
	want := Onset{Status: diagnose.Found, Windows: 2, First: 2, Due: 2, Percent: 100 * 10 / 290.0, Width: 8, Covered: true, Expect: 1}
	if math.Abs(got.Percent-want.Percent) > 1e-9 {
		t.Errorf("off by %v %% of the load, want %v", got.Percent, want.Percent)
	}
	if got.Percent = want.Percent; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	// What times out after 2 s was harmed on arrival, or by the answer that came late.
	o.Fault = attack.Timeout
	fail(attack.Timeout, 8.5, 10.5)
	for _, at := range []float64{8.5, 10.4} {
		if got := Judge(Case{Causes: []string{"x"}, LoadLow: 265, LoadHigh: 290, Truth: harm(at)}, log, found(o)).Onset; got.Due != 6 || got.Windows != 4*(10.5-at) || got.Covered != (at > 9.5) || got.Expect != -1 {
			t.Errorf("timeout, harm at %g s: %+v", at, got)
		}
	}
	// The injector did its harm at 270/s: bounds that exclude it tell nothing.
	if got := Judge(Case{Causes: []string{"x"}, LoadLow: 310, LoadHigh: 320, Truth: harm(8.5)}, log, found(o)).Onset; got.Expect != 0 {
		t.Errorf("bounds without the harm: %+v", got)
	}
	// One kill fails all that is under way; the request due first dates it.
	fail(attack.Reset, 9.5, 10)
	log.Failures[1], log.Failures[2] = log.Failures[2], log.Failures[1]
	log.Failures[1].End = log.Failures[2].End
	if got := Judge(Case{Causes: []string{"x"}, Truth: harm(10)}, log, found(o)).Onset; got.Due != 2 {
		t.Errorf("all at once: %+v", got)
	}
	// Nothing was under way: the next one that failed.
	fail(attack.Reset, 11.5, 11.5)
	if got := Judge(Case{Causes: []string{"x"}, Truth: harm(10)}, log, found(o)).Onset; got.Due != -6 {
		t.Errorf("the next: %+v", got)
	}
	log.Failures = nil
	if got := Judge(Case{Causes: []string{"x"}, Truth: harm(11)}, log, found(o)).Onset; got.Due != -4 || got.Windows != -2 || !got.Covered {
		t.Errorf("no failure seen: %+v", got)
	}
	o.Status = diagnose.LeftCensored
	if got := Judge(Case{Causes: []string{"x"}, Truth: harm(0)}, log, found(o)).Onset; got.Status != diagnose.LeftCensored || !math.IsNaN(got.Windows) {
		t.Errorf("from the start: %+v", got)
	}
	if !Judge(Case{Causes: []string{"healthy"}}, log, found(o)).FalseOnset {
		t.Error("faults from the start of a control are no false onset")
	}
}

func TestSustained(t *testing.T) {
	at := func(s float64) time.Time { return time.Unix(1000, 0).Add(time.Duration(s * float64(time.Second))) }
	harm := func(first float64, times ...float64) lab.Truth {
		truth := lab.Truth{First: at(first)}
		for _, s := range times {
			truth.Log = append(truth.Log, lab.TruthPoint{At: at(s), What: "resets", N: 2})
		}
		return truth
	}
	for _, test := range []struct {
		name  string
		truth lab.Truth
		want  float64
	}{
		{"at once", harm(5.05, 5, 6, 7, 8.5), 5.05},
		{"single ones before", harm(1.02, 1, 4, 9, 10, 11, 12), 9},
		{"an episode after which it is quiet", harm(3.3, 3.3, 3.4, 3.5, 9), 3.3},
		{"no log", harm(2), 2},
	} {
		if got := sustained(test.truth); !got.Equal(at(test.want)) {
			t.Errorf("%s: begins at %v s, want %v", test.name, got.Sub(at(0)).Seconds(), test.want)
		}
	}
}

func TestOffered(t *testing.T) {
	stages := []runlog.Stage{
		{Kind: "hold", End: 2 * second, From: 50, To: 50},
		{Kind: "ramp", Start: 2 * second, End: 12 * second, From: 50, To: 150},
		{Kind: "burst", Start: 12 * second, End: 20 * second, From: 40},
	}
	for at, want := range map[float64]float64{1: 50, 7: 100, 12: 150} {
		if got := offered(stages, at); got != want {
			t.Errorf("at %g s: %g/s, want %g/s", at, got, want)
		}
	}
	for _, at := range []float64{-1, 15, 30} {
		if got := offered(stages, at); !math.IsNaN(got) {
			t.Errorf("at %g s: %g/s", at, got)
		}
	}
}

func TestCaseThatWasOnlyLate(t *testing.T) {
	point := func(what string) lab.TruthPoint { return lab.TruthPoint{What: what, N: 1} }
	shedding := lab.Scenario{Name: "shedding", Cause: "server-cpu-shedding"}
	late := lab.Expect{OnlyLate: "client-timeout", Resource: probe.ProcessCPU}
	for _, c := range []struct {
		name   string
		expect lab.Expect
		log    []lab.TruthPoint
		want   string
	}{
		{"answered too late only", late, []lab.TruthPoint{point("late-answers"), point("late-answers")}, "client-timeout"},
		{"shed too", late, []lab.TruthPoint{point("late-answers"), point("resets")}, "server-cpu-shedding"},
		{"nothing happened", late, nil, "server-cpu-shedding"},
		{"a scenario that does not say so", lab.Expect{}, []lab.TruthPoint{point("late-answers")}, "server-cpu-shedding"},
	} {
		if got := NewCase(shedding, 1, c.expect, lab.Truth{Log: c.log}).Causes[0]; got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
