package attack_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rampload/rampload/attack"
)

// randomAttempts are attempts of one target that ended in one window.
func randomAttempts(r *rand.Rand, n int) []attack.Cell {
	out := make([]attack.Cell, n)
	for i := range out {
		out[i] = attack.Cell{
			DueWindow: int32(7 + r.IntN(3)), Remote: uint16(r.IntN(3)), Fault: attack.Fault(r.IntN(attack.Faults)), Detail: attack.Detail{Kind: attack.DetailKind(r.IntN(3)), Code: uint16(r.IntN(2))}, Phase: attack.Phase(r.IntN(attack.Phases)),
			Reused: r.IntN(2) == 0, Held: r.IntN(8) == 0, Attempts: 1, Requests: uint64(r.IntN(2)), WireResets: uint64(r.IntN(2)),
		}
	}
	return out
}

// windowOf counts attempts as a generator does.
func windowOf(cells []attack.Cell) attack.Window {
	w := attack.Window{Target: 1, Index: 9}
	for i, c := range cells {
		one := attack.Window{
			Scheduled: 1, Sent: c.Requests, Unsent: c.WireResets, Dials: c.Attempts, InFlight: int64(i % 3), Open: 1, IdleConnSeconds: 0.25,
			Cells: []attack.Cell{c}, Statuses: []attack.StatusCount{{Status: 200 + uint16(c.Fault), Count: 1}},
			Requests: []attack.RequestCount{{Endpoint: uint32(c.Remote), Attempts: 1, Failed: c.Requests, Sent: 9, Received: c.WireResets}},
			FromDue:  attack.Histogram{{Value: int64(c.Phase), Count: 1}}, Lag: attack.Histogram{{Value: int64(c.Fault), Count: 1}},
			FailuresDropped: c.WireResets,
		}
		w = w.Merge(one)
	}
	return w
}

// However the attempts of a window are spread over generators, and in whatever
// order their windows are merged, the sum is that of one generator.
func TestWindowMergeIsTheSum(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		all := randomAttempts(r, 1+r.IntN(60))
		whole := windowOf(all)
		parts := make([][]attack.Cell, 1+r.IntN(6))
		inFlight := make([]int64, len(parts))
		for i, c := range all {
			p := r.IntN(len(parts))
			parts[p] = append(parts[p], c)
			inFlight[p] += int64(i % 3)
		}
		var merged attack.Window
		for i, p := range r.Perm(len(parts)) {
			w := windowOf(parts[p])
			w.InFlight = inFlight[p]
			if i == 0 {
				merged = w
				continue
			}
			merged = merged.Merge(w)
		}
		if diff := cmp.Diff(whole, merged, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("seed %d: %d parts differ from the whole:\n%s", seed, len(parts), diff)
		}
	}
}
