package series

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// What is forgotten changes no verdict: conditions over spans and over the whole run
// strike at the same window as with all of the run in memory.
func TestForgettingChangesNoAbort(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 1))
	for _, text := range []string{
		"failures within 5s > 20%", "failures > 2%", "failures > 2% up to 110/s", "wire-resets > 400", "p99 within 10s > 300ms", "failures(carts) > 2%",
	} {
		g, err := profiles.ParseGate(text)
		if err != nil {
			t.Fatal(err)
		}
		struckOnce := false
		for range 4 {
			gates := []profiles.Gate{g}
			whole, part := New(250*time.Millisecond, []string{"orders", "carts"}), New(250*time.Millisecond, []string{"orders", "carts"})
			all, some := NewAbort(gates, whole), NewAbort(gates, part)
			worse := random.Int32N(3000)
			for i := range int32(4000) {
				for target := range uint16(2) {
					n := 10 + random.Uint64N(8)
					w := attack.Window{Target: target, Index: i, Scheduled: n, Sent: n}
					failed := uint64(0)
					if i > worse && random.IntN(4) == 0 {
						failed = 1 + random.Uint64N(3)
					}
					due := i - random.Int32N(min(i, 8)+1)
					w.Cells = []attack.Cell{
						{DueWindow: due, Fault: attack.Reset, Attempts: failed, Requests: failed, WireResets: failed},
						{DueWindow: i, Attempts: n - failed, Requests: n - failed},
					}
					w.FromDue = attack.Histogram{{Value: 100_000 + int64(failed)*150_000, Count: n - failed}}
					whole.Add(w)
					part.Add(w)
				}
				_, a := all.Struck()
				_, b := some.Struck()
				if a != b {
					t.Fatalf("%s at window %d: %v with the whole run, %v with what is kept", text, i, a, b)
				}
				some.Forget()
				if most := 2 * (480 + 480 + 40); part.Len() > most {
					t.Fatalf("%s: %d windows are kept, more than %d", text, part.Len(), most)
				}
				if a {
					struckOnce = struckOnce || part.First > 0
					break
				}
			}
			if part.First == 0 && part.Len() > 2000 {
				t.Errorf("%s: nothing was forgotten", text)
			}
		}
		if !struckOnce {
			t.Logf("%s never struck after something was forgotten", text)
		}
	}
}
