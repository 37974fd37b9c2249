package generator

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/runlog"
)

// fleetLog is a run of several workers, each with 100 requests a window; sent says how
// many of them a worker sends.
func fleetLog(workers int, sent func(worker, window int) uint64) *runlog.Log {
	const windows, due = 80, 100
	header := runlog.Header{Interval: 250 * time.Millisecond, Targets: []runlog.Target{{Name: "a", Share: 1}}, Generator: runlog.Generator{Timeout: time.Second}}
	log := &runlog.Log{Header: header, Windows: make([][]attack.Window, 1), Trailer: &runlog.Trailer{}}
	for i := range windows {
		log.Windows[0] = append(log.Windows[0], attack.Window{Index: int32(i)})
	}
	for w := range workers {
		part := &runlog.Log{Header: header, Windows: make([][]attack.Window, 1), Trailer: &runlog.Trailer{}}
		part.Header.Role, part.Header.Member = runlog.RoleWorker, fmt.Sprintf("w%d", w+1)
		for i := range windows {
			one := attack.Window{Index: int32(i), Scheduled: due, Sent: sent(w, i), Unsent: due - sent(w, i)}
			part.Windows[0] = append(part.Windows[0], one)
			log.Windows[0][i] = log.Windows[0][i].Merge(one)
		}
		log.Parts = append(log.Parts, part)
	}
	return log
}

// A worker that falls behind is the limit, however little it is of the whole, and it is
// named.
func TestEachWorkerIsJudged(t *testing.T) {
	all := func(int, int) uint64 { return 100 }
	if g := State(evidence.NewRun(fleetLog(10, all))); g.Limited {
		t.Errorf("nobody is behind: %+v", g)
	}
	one := func(worker, window int) uint64 {
		if worker == 6 && window >= 40 {
			return 85 // 1.5 % of the whole
		}
		return 100
	}
	g := State(evidence.NewRun(fleetLog(10, one)))
	if !g.Limited || g.Cause != "client-cpu" || !strings.HasPrefix(g.Reason, "worker w7: it sent as little as 85") || g.At < 9*time.Second || g.At > 11*time.Second {
		t.Errorf("one is behind: %+v", g)
	}
}

// What was unsent because a worker was lost is no limit of the generator.
func TestLostWorkerIsNoLimit(t *testing.T) {
	gap := func(worker, window int) uint64 {
		if worker == 0 && window >= 60 && window < 76 {
			return 0
		}
		return 100
	}
	log := fleetLog(2, gap)
	log.Parts = log.Parts[1:] // the lost one has no windows there
	if g := State(evidence.NewRun(log)); !g.Limited {
		t.Errorf("half of the load is missing, and nobody was lost: %+v", g)
	}
	log.Takeovers = []runlog.Takeover{{Member: "w1", By: "w2", From: 60, Until: 76}}
	if g := State(evidence.NewRun(log)); g.Limited {
		t.Errorf("a lost worker: %+v", g)
	}
}
