package runlog_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rampload/rampload/report/runlog"
)

// compare makes comparisons of a clock that reads offset(t) more than the run's, over
// a path that delays both ways at random.
func compare(r *rand.Rand, n int, every time.Duration, delay func() time.Duration, offset func(time.Duration) time.Duration) []runlog.ClockReading {
	var out []runlog.ClockReading
	for i := range n {
		asked := time.Duration(i) * every
		there, back := delay(), delay()
		received := asked + there
		answered := received + time.Duration(r.IntN(50))*time.Microsecond
		out = append(out, runlog.ClockReading{
			Member: "a", Asked: asked, Received: received + offset(received), Answered: answered + offset(answered), Returned: answered + back,
		})
	}
	return out
}

// The times that a model converts are as near to the truth as it says, on a path with
// queues, for a clock that is far off and drifts.
func TestEstimateClock(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 3))
		base := time.Duration(r.IntN(2000)) * time.Microsecond
		queue := func() time.Duration {
			return base/2 + time.Duration(r.ExpFloat64()*float64(time.Millisecond))
		}
		ahead := time.Duration(r.Int64N(int64(20 * time.Hour)))
		drift := (r.Float64() - 0.5) * 200e-6
		length := time.Duration(10+r.IntN(600)) * time.Second
		if length < time.Minute {
			drift /= 10 // not to be told over so short a time
		}
		offset := func(at time.Duration) time.Duration { return ahead + time.Duration(drift*float64(at)) }
		model := runlog.EstimateClock(compare(r, int(length/time.Second), time.Second, queue, offset))
		if !model.Known() {
			t.Fatalf("seed %d: no model", seed)
		}
		worst := time.Duration(0)
		for at := time.Duration(0); at < length; at += time.Second {
			worst = max(worst, (model.ToRun(at+offset(at)) - at).Abs())
		}
		if worst > 2*model.Error {
			t.Errorf("seed %d: off by %v over %v with drift %.0f ppm, and the error is said to be %v", seed, worst, length, drift*1e6, model.Error)
		}
		if model.Error > 3*time.Millisecond {
			t.Errorf("seed %d: error %v on a path of %v", seed, model.Error, base)
		}
	}
}

func TestEstimateClockRefusesWhatCannotBe(t *testing.T) {
	if m := runlog.EstimateClock([]runlog.ClockReading{{Asked: 5, Returned: 4}, {Received: 9, Answered: 3, Returned: 1}}); m.Known() {
		t.Errorf("a model of nothing: %+v", m)
	}
	if m := runlog.EstimateClock(nil); m.Known() || m.ToRun(7) != 7 || math.IsNaN(m.Drift) {
		t.Errorf("no comparison gives %+v", m)
	}
}
