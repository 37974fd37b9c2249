package assemble

import (
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/runlog"
)

// Every log that is joined to nothing says why, and the others do not.
func TestNotJoined(t *testing.T) {
	run := attack.RunID{7}
	id := func(n uint64) string { return string(run.AppendTransactionID(nil, n)) }
	const at = 10 * time.Second
	line := func(id string, at time.Duration) probe.Event {
		return probe.Event{Kind: probe.LogLine, At: at, Count: 1, Line: &probe.Line{ID: id}}
	}
	for name, c := range map[string]struct {
		events []probe.Event
		state  probe.State
		want   string // of the reason; "-": nothing is said
	}{
		"joined by id":   {[]probe.Event{line(id(3), 0)}, probe.Measured, "-"},
		"joined by time": {[]probe.Event{line("", at-time.Second/2)}, probe.Measured, "-"},
		"silent":         {nil, probe.Measured, "it has no line that tells of a fault"},
		"others":         {[]probe.Event{line(id(4), at)}, probe.Measured, "transactions of this run that it names ended well"},
		"foreign":        {[]probe.Event{line("abc", at), line("def", at)}, probe.Measured, "all ids in it (2) are of something else"},
		"an hour off":    {[]probe.Event{line("", at+time.Hour)}, probe.Partial, "and the nearest of that is 1h after any failure"},
		"before":         {[]probe.Event{line("", at-5*time.Second)}, probe.Measured, "the nearest of that is 5s before any failure"},
		"unreadable":     {nil, probe.NotMeasured, "-"},
	} {
		source := probe.Source{Host: "local", Name: "log a"}
		log := &runlog.Log{
			Header:   runlog.Header{RunID: "0700000000000000"},
			Failures: []attack.Failure{{Attempt: attack.Attempt{Request: 3, Fault: attack.Reset, Phase: attack.PhaseAwait, End: at}}},
		}
		for _, e := range c.events {
			e.Source = source
			log.Events = append(log.Events, e)
		}
		sources := []report.Source{{Host: "local", Source: "log a", State: string(c.state), Reason: "own"}, {Host: "local", Source: "sockets", State: string(probe.Measured)}}
		notJoined(log, sources)
		got := sources[0].Reason
		if c.want == "-" && got != "own" || c.want != "-" && (!strings.Contains(got, c.want) || !strings.Contains(got, "own") || sources[0].State != string(probe.Partial)) {
			t.Errorf("%s: %q", name, got)
		}
		if sources[1].Reason != "" {
			t.Errorf("%s: sockets say %q", name, sources[1].Reason)
		}
		log.Failures, sources[0].Reason = nil, ""
		if notJoined(log, sources); sources[0].Reason != "" {
			t.Errorf("%s: without failures it says %q", name, sources[0].Reason)
		}
	}
}
