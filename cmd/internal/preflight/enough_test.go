package preflight

import (
	"testing"
	"time"

	"github.com/rampload/rampload/profiles"
)

func TestTooFew(t *testing.T) {
	ramp := profiles.Ramp{From: 20, To: 300, For: 25 * time.Second}
	hold := profiles.Hold{Rate: 276, For: 10 * time.Second}
	for _, c := range []struct {
		gate  string
		load  []profiles.Stage
		want  string
		share float64 // of the target orders
	}{
		{"failures < 0.1%", []profiles.Stage{hold}, "2,760 requests are planned, too few to prove it: 149,712 without a single one beyond the limit would do, as up to 50 may fail together", 1},
		{"failures < 6%", []profiles.Stage{hold}, "", 1},
		{"failures(orders) < 1%", []profiles.Stage{hold}, "276 requests are planned, too few to prove it: 14,904 without a single one beyond the limit would do, as up to 50 may fail together", 0.1},
		{"failures < 6%", []profiles.Stage{hold}, "", 0.1},
		// The ramp has 103 requests below 50/s, and rounding covers two windows more.
		{"failures < 15% up to 150/s", []profiles.Stage{ramp}, "", 1},
		{"failures < 1% up to 50/s", []profiles.Stage{ramp}, "111 requests are planned up to 50/s, too few to prove it: 14,904 without a single one beyond the limit would do, as up to 50 may fail together", 1},
		{"wire-resets within 10s < 0.1% up to 50/s", []profiles.Stage{hold}, "0 requests are planned up to 50/s, too few to prove it: 149,712 without a single one beyond the limit would do, as up to 50 may fail together", 1},
		{"p99 < 250ms up to 50/s", []profiles.Stage{ramp}, "111 requests are planned up to 50/s, too few to prove it: 299 without a single one beyond the limit would do", 1},
		{"p50 < 250ms up to 50/s", []profiles.Stage{ramp}, "", 1},
		{"wire-resets == 0 up to 50/s", []profiles.Stage{ramp}, "", 1},
		{"failures <= 0%", []profiles.Stage{hold}, "", 1},
		{"onset > 5000/s", []profiles.Stage{ramp}, "", 1},
		{"headroom(open-files) > 20%", []profiles.Stage{hold}, "", 1},
		// Nobody knows how many a closed loop or a search has.
		{"failures < 0.1%", []profiles.Stage{hold, profiles.Max{For: time.Second}}, "", 1},
		{"failures within 10s < 0.1%", []profiles.Stage{profiles.Search{From: 1, To: 2}}, "", 1},
		{"failures < 0.1%", []profiles.Stage{profiles.Idle{From: time.Second, To: time.Minute}}, "", 1},
		{"failures < 0.1%", []profiles.Stage{profiles.Connections{From: 10, To: 10, For: 10 * time.Second}}, "100 requests are planned, too few to prove it: 149,712 without a single one beyond the limit would do, as up to 50 may fail together", 1},
	} {
		g, err := profiles.ParseGate(c.gate)
		if err != nil {
			t.Fatal(err)
		}
		p := profiles.Profile{
			Load: c.load, Client: profiles.Client{PerConnection: 1},
			Targets: []profiles.Target{{Name: "orders", Share: c.share}, {Name: "carts", Share: 1 - c.share}},
		}
		if got := TooFew(p, g); got != c.want {
			t.Errorf("%s: %q, want %q", c.gate, got, c.want)
		}
	}
}
