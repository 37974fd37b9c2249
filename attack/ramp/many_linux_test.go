package ramp

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/ramp/tally"
	"github.com/rampload/rampload/profiles/redaction"
)

// What windows take follows what was counted in them, not how many targets, processors
// and kinds there could be. A window of 250 ms is gathered in less than a quarter of it.
func TestManyTargetsTakeLittle(t *testing.T) {
	for _, c := range []struct {
		targets, cores int
		most           float64 // MB
	}{{1, 2, 8}, {5, 16, 16}, {20, 16, 32}, {20, 64, 64}, {100, 32, 64}} {
		megabytes, took := manyTargets(t, c.targets, c.cores)
		if megabytes > c.most {
			t.Errorf("%d targets on %d processors take %.0f MB, more than %.0f", c.targets, c.cores, megabytes, c.most)
		}
		if best := slices.Min(took); best > 60 && !raced {
			t.Errorf("%d targets on %d processors: a window takes %.0f ms at best, more than 60", c.targets, c.cores, best)
		}
	}
}

// manyTargets is what windows of so many targets and cores take: memory, and for each the
// milliseconds of one processor.
func manyTargets(tb testing.TB, targets, cores int) (megabytes float64, milliseconds []float64) {
	tb.Helper()
	heap := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / (1 << 20)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := heap()
	shards := 2 * cores
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
		began := threadTime(tb)
		coll.Finish(stats, w)
		took = append(took, (threadTime(tb)-began).Seconds()*1e3)
		var got record
		done := make(chan struct{})
		close(done)
		coll.Deliver(&got, done)
		if c := got.sum(tb, -1); int(c.sent) != targets*shards {
			tb.Fatalf("%d sent, want %d", c.sent, targets*shards)
		}
	}
	megabytes = heap() - before
	runtime.KeepAlive(agg)
	runtime.KeepAlive(coll)
	return megabytes, took
}

// threadTime is the processor's time that the thread has had.
func threadTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// idleLoad has no schedule and no connections.
type idleLoad struct{}

func (idleLoad) Now() time.Duration                       { return 0 }
func (idleLoad) Scheduled(int32, func(uint16))            {}
func (idleLoad) Stats(time.Duration) []attack.ClientStats { return noStats() }
func (idleLoad) Following(int) (int64, bool)              { return 0, false }
