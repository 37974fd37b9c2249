package ramp

import (
	"math/rand/v2"
	"testing"
	"time"
)

// The lead settles where it is to: most wake-ups come in time, and what is spun for
// them is little. Those that are held up for a while by a busy machine do not move it
// far, and what no lead makes good leaves it at its bound.
func TestLead(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 9))
	for name, late := range map[string]func() time.Duration{
		"even":   func() time.Duration { return 50 * time.Microsecond },
		"spread": func() time.Duration { return time.Duration(30e3 + 40e3*random.Float64()) },
		"held up": func() time.Duration {
			return time.Duration(40e3 + 10e3*random.ExpFloat64() + 5e6*float64(random.IntN(20)/19))
		},
		"at once":  func() time.Duration { return time.Duration(500 * random.Float64()) },
		"hopeless": func() time.Duration { return time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			var l lead
			const n = 20_000
			inTime, spun := 0, time.Duration(0)
			for i := range n {
				ask := l.of(time.Second)
				took := late()
				if l.learn(took); i < n/10 {
					continue
				}
				if took <= ask {
					inTime++
					spun += ask - took
				}
			}
			share, mean := float64(inTime)/(n*0.9), spun/(n*9/10)
			switch {
			case name == "hopeless":
				if share != 0 || l != lead(mostLead) {
					t.Errorf("%.2f in time, lead %v", share, time.Duration(l))
				}
			case share < leadShare-0.05 || share > leadShare+0.1 && name != "at once" && name != "even":
				t.Errorf("%.2f in time", share)
			case mean > 20*time.Microsecond:
				t.Errorf("%v spun for each", mean)
			}
		})
	}
	l := lead(mostLead)
	if got := l.of(100 * time.Microsecond); got != 50*time.Microsecond {
		t.Errorf("half of 100 µs is %v", got)
	}
}
