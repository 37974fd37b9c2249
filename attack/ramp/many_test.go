package ramp

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/ramp/tally"
	"github.com/rampload/rampload/profiles/redaction"
)

// What windows take follows what was counted in them, not how many targets, processors
// and kinds there could be.
func TestManyTargetsTakeLittle(t *testing.T) {
	if megabytes, _ := manyTargets(t); megabytes > 64 {
		t.Errorf("100 targets on 32 processors take %.0f MB, more than 64", megabytes)
	}
}

// manyTargets is what a window of a hundred targets on 32 cores costs.
func manyTargets(tb testing.TB) (megabytes, milliseconds float64) {
	tb.Helper()
	const targets = 100
	heap := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / (1 << 20)
	}
	before := heap()
	const shards = 64
	agg := tally.New(tally.Config{Targets: targets, Shards: shards, Failures: 1000, Interval: defaultWindow})
	coll := tally.NewCollector(agg, idleLoad{}, 0, redaction.Redactor{}, nil)
	stats := make([]attack.ClientStats, targets)
	var took []float64
	for w := range int32(9) {
		for i := range uint32(shards) {
			for target := range uint16(targets) {
				end := time.Duration(w)*defaultWindow + 50*time.Millisecond
				at := &attack.Attempt{
					Last: true, Due: end - time.Millisecond, Start: end - 900*time.Microsecond, Status: 200, Phase: attack.PhaseDone,
					Target: target, Conn: attack.Conn{ID: 1, Reused: true, Served: 3, Idle: time.Second, RemoteIndex: 1},
				}
				at.End = at.Start + time.Duration(i)*time.Millisecond
				agg.Begin(i, target, at.Due, at.Start, false)
				agg.End(i, at)
			}
		}
		began := time.Now()
		coll.Finish(stats, w)
		took = append(took, time.Since(began).Seconds()*1e3)
		var got record
		done := make(chan struct{})
		close(done)
		coll.Deliver(&got, done)
		if c := got.sum(tb, -1); c.sent != targets*shards {
			tb.Fatalf("%d sent, want %d", c.sent, targets*shards)
		}
	}
	megabytes = heap() - before
	runtime.KeepAlive(agg)
	runtime.KeepAlive(coll)
	slices.Sort(took)
	return megabytes, took[len(took)/2]
}

// idleLoad has no schedule and no connections.
type idleLoad struct{}

func (idleLoad) Now() time.Duration                       { return 0 }
func (idleLoad) Scheduled(int32, func(uint16))            {}
func (idleLoad) Stats(time.Duration) []attack.ClientStats { return noStats() }
func (idleLoad) Following(int) (int64, bool)              { return 0, false }
