package verdicts

import (
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/runlog"
)

// What fails of one request only is told of that request.
func TestFailuresOfOneRequest(t *testing.T) {
	endpoints := []runlog.Endpoint{{Name: "GET /orders", Share: 0.9}, {Name: "GET /export", Share: 0.1}}
	for name, c := range map[string]struct {
		endpoints []runlog.Endpoint
		of        []uint32
		want      string
	}{
		"one of two":    {endpoints, []uint32{1, 1, 1, 1, 1, 1}, "6 of 6 failures are of GET /export, 10% of the requests"},
		"the usual one": {endpoints, []uint32{0, 0, 0, 0, 0, 0}, ""},
		"both":          {endpoints, []uint32{0, 1, 1, 0, 1, 1}, ""},
		"not listed":    {nil, []uint32{1, 1, 1, 1, 1, 1}, ""},
		"too few":       {endpoints, []uint32{1, 1}, ""},
	} {
		inv := &inquiry.Investigation{Case: &evidence.Case{Target: &evidence.Target{Info: runlog.Target{Endpoints: c.endpoints}}}}
		for _, e := range c.of {
			inv.Failures = append(inv.Failures, &attack.Failure{Attempt: attack.Attempt{Endpoint: e, Phase: attack.PhaseAwait}})
		}
		if got := evidence.OneRequest(inv.Case); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A rule that somebody follows shows in what failures have in common; what is random,
// or of one instant, has nothing.
func TestPatternOfFailures(t *testing.T) {
	type at struct {
		seconds, age   float64
		served, number uint64
	}
	for name, c := range map[string]struct {
		failure func(i int) at
		want    string
	}{
		"age":      {func(i int) at { return at{float64(i), 6 + 0.01*float64(i%3), uint64(10 * i % 77), uint64(i * i * 31)} }, "they hit connections that were 6 s old"},
		"served":   {func(i int) at { return at{float64(i), float64(1 + i%7), 97 + uint64(i%2), uint64(i * i * 31)} }, "they hit connections that had served 97 to 98 requests"},
		"distance": {func(i int) at { return at{float64(i), float64(1 + i%7), uint64(10 * i % 77), uint64(60 * i)} }, "one request in 60 failed, at regular distances"},
		"random":   {func(i int) at { return at{float64(i), float64(1 + i%7), uint64(10 * i % 77), uint64(i * i * 31)} }, ""},
		"at once":  {func(i int) at { return at{5, 6, 97, uint64(60 * i)} }, ""},
	} {
		inv := &inquiry.Investigation{Case: &evidence.Case{Target: &evidence.Target{}}}
		for i := range 20 {
			f := c.failure(i)
			inv.Failures = append(inv.Failures, &attack.Failure{Attempt: attack.Attempt{
				Request: f.number, End: words.Seconds(f.seconds), Fault: attack.Reset, Phase: attack.PhaseAwait,
				Conn: attack.Conn{Age: words.Seconds(f.age), Served: uint32(f.served)},
			}})
		}
		if got := evidence.Pattern(inv.Case); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A process that the kernel killed for memory ended once, also where two sources tell
// of it; one that left in good order is no incident.
func TestIncidents(t *testing.T) {
	a, _ := steady(probe.Metric{Host: "local", Process: "python3", PID: 8, Name: probe.OpenFiles}, 256, func(float64) float64 { return 20 })
	a.Log.Events = []probe.Event{
		{At: words.Seconds(9), Host: "local", Kind: probe.ProcessExit, PID: 5, Process: "python3", Reason: "exit status 0"},
		{At: words.Seconds(20), Host: "local", Kind: probe.OOMKill, PID: 7, Reason: "cgroup out of memory"},
		{At: words.Seconds(20.1), Host: "local", Kind: probe.ProcessExit, PID: 7, Process: "python3", Reason: "killed by SIGKILL"},
	}
	inv := &inquiry.Investigation{Case: &evidence.Case{Run: a, Target: a.Targets[0], Onset: &evidence.Onset{Status: evidence.NoOnset}, Hops: []evidence.Hop{{Host: "local"}}}}
	got := incidents(inv.Case)
	if want := "python3 (pid 7) ended (killed for memory), 1 time in all"; len(got) != 1 || got[0].Text != want {
		t.Errorf("%+v, want %q", got, want)
	}
}
