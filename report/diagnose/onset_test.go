package diagnose_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose"
)

// faulty is a world in which something fails from a time on.
func faulty(seed uint64, fail func(w *world, r *request)) diagnose.Onset {
	w := newWorld(rand.New(rand.NewPCG(seed, 77)))
	w.length = 24
	w.fail = func(r *request) { fail(w, r) }
	w.background()
	w.play()
	w.complete()
	return diagnose.Analyze(w.log).Targets[0].Onsets[0]
}

func (r *request) become(f attack.Fault, phase attack.Phase, after float64) {
	r.fault, r.phase, r.latency, r.status = f, phase, after, 0
}

// The headline is of one class, and its date that of all that begin with it.
func TestOnsetOfSeveralFaults(t *testing.T) {
	const begin = 14.1
	for _, test := range []struct {
		name     string
		together bool
		fail     func(w *world, r *request)
	}{
		{"timeouts that turn into resets", true, func(_ *world, r *request) {
			switch {
			case r.due >= begin+1:
				r.become(attack.Reset, attack.PhaseAwait, 0.4)
			case r.due >= begin:
				r.become(attack.Timeout, attack.PhaseAwait, 1.5)
			}
		}},
		{"closed or reset, as chance has it", true, func(w *world, r *request) {
			if r.due < begin || r.due > begin+0.02 && w.rng.Float64() > 0.1*(r.due-begin) {
				return
			}
			if r.become(attack.EOF, attack.PhaseAwait, 0.01); r.due > begin+1 && w.rng.IntN(2) == 0 {
				r.become(attack.Reset, attack.PhaseAwait, 0.01)
			}
		}},
		{"resets beside statuses that were there before", false, func(w *world, r *request) {
			if r.due >= begin && (r.due < begin+0.02 || w.rng.IntN(4) == 0) {
				r.become(attack.Reset, attack.PhaseAwait, 0.01)
			} else if w.rng.IntN(150) == 0 {
				r.become(attack.Status, attack.PhaseDone, 0.01)
				r.status = 404
			}
		}},
	} {
		for seed := range uint64(5) {
			o := faulty(seed, test.fail)
			if o.Status != diagnose.Found || o.Fault != attack.Reset && o.Fault != attack.EOF {
				t.Errorf("%s, seed %d: %s of %s", test.name, seed, o.Status, o.Fault)
				continue
			}
			if math.Abs(o.At.Value-begin) > 0.05 || o.At.Low > begin || o.At.High < begin {
				t.Errorf("%s, seed %d: begins at %.3f s (%.3f to %.3f), want %.3f", test.name, seed, o.At.Value, o.At.Low, o.At.High, begin)
			}
			if together := strings.Contains(o.Note, "dated by all faults"); o.Fault == attack.Reset && together != test.together {
				t.Errorf("%s, seed %d: dated by all faults: %v", test.name, seed, together)
			}
			if o.Before != 0 {
				t.Errorf("%s, seed %d: %d of %s before", test.name, seed, o.Before, o.Fault)
			}
		}
	}
}
