package evidence

import (
	"net/netip"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/runlog"
)

// Transactions are followed to the service that accepted them: nothing is dialled for them.
func TestAddressesOfTransactions(t *testing.T) {
	orders := netip.MustParseAddrPort("10.0.0.2:8080")
	run := &Run{
		Log: &runlog.Log{Addresses: []attack.Address{{Target: 0, Addr: orders}}},
		Targets: []*Target{
			{Index: 0, Info: runlog.Target{Name: "orders"}},
			{Index: 1, Info: runlog.Target{Name: "orders:completion", Part: profiles.RoleCompletion, Of: "orders"}},
			{Index: 2, Info: runlog.Target{Name: "carts"}},
		},
	}
	for i, want := range []int{1, 1, 0} {
		if got := run.Addresses(run.Targets[i]); len(got) != want {
			t.Errorf("%s was dialled at %v", run.Targets[i].Info.Name, got)
		}
	}
}
