package run

import (
	"io"
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render/faillog"
)

// failuresLag is for how long the load is remembered that a failed attempt was due
// at: with its timeout and its retries it fails much later than it was due.
const failuresLag = 10 * time.Minute

// failureLog is a recorder that also writes each failed attempt as a JSON line.
type failureLog struct {
	session.Recorder
	w io.Writer

	mu     sync.Mutex
	series *report.Series
	lines  *faillog.Log
	buf    []byte
}

func newFailureLog(r session.Recorder, w io.Writer, targets []string, content [][]string, run attack.RunID, start time.Time) *failureLog {
	series := report.NewSeries(input.WindowInterval, targets)
	return &failureLog{Recorder: r, w: w, series: series, lines: faillog.New(start, run, targets, content, series)}
}

// Window records a window and keeps its offered load for the lines to come.
func (l *failureLog) Window(w attack.Window) {
	l.Recorder.Window(w)
	l.mu.Lock()
	defer l.mu.Unlock()
	w.FromDue = nil // lines tell no percentiles: their histograms would be kept in vain
	l.series.Add(w)
	if int(w.Target) == len(l.series.Names)-1 {
		l.series.Forget(int(failuresLag / input.WindowInterval))
	}
}

// Failure records a failed attempt and writes its line. A line that cannot be
// written is lost: the run log has the failure.
func (l *failureLog) Failure(f attack.Failure) {
	l.Recorder.Failure(f)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = l.lines.Append(l.buf[:0], f)
	_, _ = l.w.Write(l.buf)
}
