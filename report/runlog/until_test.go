package runlog_test

import (
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

func TestUntil(t *testing.T) {
	s := time.Second
	log := &runlog.Log{
		Header:   runlog.Header{Interval: s, Stages: []runlog.Stage{{End: 4 * s}, {Start: 4 * s, End: 9 * s}}},
		Windows:  [][]attack.Window{{{Index: 0}, {Index: 2}, {Index: 3}}},
		Failures: []attack.Failure{{Attempt: attack.Attempt{Start: s, End: 2 * s}}, {Attempt: attack.Attempt{Start: 2 * s, End: 4 * s}}},
		Series:   []runlog.Series{{At: []time.Duration{-s, 3 * s, 4 * s}, Value: []float64{1, 2, 3}, Limit: []float64{9, 9, 9}}},
		Events:   []probe.Event{{At: 3 * s}, {At: 5 * s}},
		Marks:    []runlog.Mark{{At: 4 * s}},
		Trailer:  &runlog.Trailer{},
	}
	got := log.Until(3500 * time.Millisecond)
	if n := len(got.Windows[0]); n != 2 || got.Windows[0][1].Index != 2 {
		t.Errorf("%d windows: one that had not ended is not known", n)
	}
	if len(got.Failures) != 1 || got.Failures[0].End != 2*s {
		t.Errorf("failures %+v: one that had not ended is not known", got.Failures)
	}
	if x := got.Series[0]; len(x.At) != 2 || len(x.Value) != 2 || len(x.Limit) != 2 {
		t.Errorf("series %+v", x)
	}
	if len(got.Events) != 1 || len(got.Marks) != 0 || len(got.Header.Stages) != 1 || got.Trailer == nil {
		t.Errorf("%d events, %d marks, %d stages, trailer %v", len(got.Events), len(got.Marks), len(got.Header.Stages), got.Trailer)
	}
	if len(log.Windows[0]) != 3 || len(log.Failures) != 2 || len(log.Series[0].At) != 3 || len(log.Events) != 2 || len(log.Header.Stages) != 2 {
		t.Error("the log itself was changed")
	}
}
