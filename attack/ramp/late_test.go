package ramp

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/profiles"
)

// A search that was held up extends its schedule when part of what it adds is due
// already, in windows that were counted. Every request is scheduled once all the same.
func TestLateStagesAreScheduledOnce(t *testing.T) {
	const window = 250 * time.Millisecond
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		mix, err := schedule.NewMix([]float64{1}, [][]float64{{1}})
		if err != nil {
			t.Fatal(err)
		}
		var growing schedule.Growing
		r := &run{cfg: Config{Window: window}, sched: &growing, mix: mix, cutoff: math.MaxUint64}
		scheduled := uint64(0)
		late := 0
		for w := int32(0); w < 60 || time.Duration(w)*window <= growing.End(); w++ {
			if w < 60 && rng.IntN(4) == 0 {
				if growing.End() < time.Duration(w)*window {
					late++
				}
				rate := float64(1 + rng.IntN(400))
				length := time.Duration(1+rng.IntN(2000)) * time.Millisecond
				if err := growing.Extend(profiles.Hold{Rate: rate, For: length}); err != nil {
					t.Fatal(err)
				}
			}
			collected{r}.Scheduled(w, func(uint16) { scheduled++ })
		}
		if late == 0 && seed == 0 {
			t.Error("nothing was added late: the test tries nothing")
		}
		if scheduled != growing.Total() {
			t.Fatalf("seed %d: %d requests scheduled of %d, %d stages were late", seed, scheduled, growing.Total(), late)
		}
	}
}
