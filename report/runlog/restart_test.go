package runlog_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// A machine that was started again in mid-run counts its time anew: each of its records
// goes by the clock of its own start.
func TestMergeOfARestart(t *testing.T) {
	whole := runlog.Header{RunID: "1", Role: runlog.RoleCoordinator, Name: "peak", Interval: 250 * time.Millisecond, Targets: []runlog.Target{{Name: "a"}}, Hosts: []runlog.Host{{Name: "local"}}}
	metric := probe.Metric{Host: "db-1", Name: probe.FileTable}
	record := func(h runlog.Header, fill func(*runlog.Writer)) *runlog.Log {
		var b bytes.Buffer
		w, err := runlog.NewWriter(&b, h)
		if err != nil {
			t.Fatal(err)
		}
		fill(w)
		if err := w.Close(runlog.Trailer{}); err != nil {
			t.Fatal(err)
		}
		log, err := runlog.Read(&b)
		if err != nil {
			t.Fatal(err)
		}
		return log
	}
	agent := whole
	agent.Role, agent.Member, agent.Targets, agent.Hosts = runlog.RoleAgent, "db-1", nil, []runlog.Host{{Name: "db-1"}}
	// What the agent's clock reads more than the run's, before and after.
	starts := []struct {
		ahead    time.Duration
		from, to int // seconds of the run
	}{{100 * time.Hour, 0, 8}, {-7 * time.Second, 12, 20}}
	var parts []*runlog.Log
	for _, s := range starts {
		parts = append(parts, record(agent, func(w *runlog.Writer) {
			for i := s.from; i <= s.to; i++ {
				at := time.Duration(i)*time.Second + s.ahead
				w.Samples([]probe.Sample{{At: at, Reading: probe.Reading{Metric: metric, Value: float64(i), Limit: 100}}})
			}
		}))
	}
	lead := record(whole, func(w *runlog.Writer) {
		for _, s := range starts {
			for i := s.from; i <= s.to; i++ {
				at := time.Duration(i) * time.Second
				w.Clock(runlog.ClockReading{Member: "db-1", Asked: at, Received: at + time.Millisecond + s.ahead, Answered: at + time.Millisecond + s.ahead, Returned: at + 2*time.Millisecond})
			}
		}
	})
	merged, err := runlog.Merge(append([]*runlog.Log{lead}, parts...)...)
	if err != nil {
		t.Fatal(err)
	}
	if len(merged.Series) != 1 || len(merged.Series[0].At) != 18 {
		t.Fatalf("%+v", merged.Series)
	}
	for i, at := range merged.Series[0].At {
		want := time.Duration(merged.Series[0].Value[i]) * time.Second
		if d := at - want; d.Abs() > 5*time.Millisecond {
			t.Errorf("read at %s, is told at %s", want, at)
		}
	}
}
