package gather

import (
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/says"
	"github.com/rampload/rampload/report/diagnose/spoken"
)

// What three instances say of the service that all of them ask is one thing said of all
// that failed; what is said of another peer, or by another service, stays apart.
func TestInstancesSpeakTogether(t *testing.T) {
	said := func(service, host, peer string, times float64) spoken.Joined {
		return spoken.Joined{
			Line: &spoken.Line{Statement: says.Statement{Meaning: says.Reset, Peer: says.ParsePeer(peer, "")}, Service: service, Host: host, Format: "json"},
			By:   "id", Class: spoken.Class{Fault: attack.Status, Status: 502}, Times: times, Of: 660, Share: times / 660, First: 5,
		}
	}
	out := together([]spoken.Joined{
		said("orders", "orders-1", "10.0.3.2:8080", 220), said("orders", "orders-2", "10.0.3.2:8080", 219),
		said("orders", "orders-2", "10.0.3.9:6379", 4), said("carts", "carts-1", "10.0.3.2:8080", 3), said("orders", "orders-3", "10.0.3.2:8080", 221),
	})
	if len(out) != 3 || out[0].Times != 660 || out[0].Of != 660 || out[0].Share < 0.999 || out[0].Hosts != 3 || out[1].Hosts != 0 || out[2].Hosts != 0 {
		t.Fatalf("%d, %+v", len(out), out[0])
	}
}
