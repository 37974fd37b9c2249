package ramp

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
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
	p := testProfile(holdStage(0, time.Hour))
	r := &run{cfg: Config{Profile: p, Window: defaultWindow}, agg: newAggregator(targets, 64, 1000, defaultWindow, 0)}
	var err error
	if r.sched, err = newSchedule(p); err != nil {
		tb.Fatal(err)
	}
	r.coll = newCollector(r)
	var took []float64
	for range 9 {
		for i := range uint32(len(r.agg.shards)) {
			for target := range uint16(targets) {
				at := success(time.Duration(r.coll.next)*defaultWindow + 50*time.Millisecond)
				at.Target, at.Conn.Reused, at.End = target, true, at.Start+time.Duration(i)*time.Millisecond
				r.agg.begin(i, target, at.Due, at.Start, false)
				r.agg.end(i, at)
			}
		}
		began := time.Now()
		r.coll.collect(make([]attack.ClientStats, targets))
		took = append(took, time.Since(began).Seconds()*1e3)
		r.coll.queue = nil
	}
	megabytes = heap() - before
	runtime.KeepAlive(r)
	slices.Sort(took)
	return megabytes, took[len(took)/2]
}
