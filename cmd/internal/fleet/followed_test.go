package fleet

import (
	"testing"
	"time"

	"github.com/rampload/rampload/cmd/internal/bus"
)

// A record that broke off ends at a time of the run, whatever clock its writer has.
func TestWhereARecordEnds(t *testing.T) {
	for _, c := range []struct {
		role   bus.Role
		last   time.Duration
		offset time.Duration
	}{
		{bus.RoleAgent, 12*time.Hour + 4600*time.Millisecond, 12 * time.Hour},
		{bus.RoleWorker, 4600 * time.Millisecond, 12 * time.Hour}, // by its windows
	} {
		l := &Lead{}
		l.parts = newFollowed(l)
		r := &remote{name: "orders", role: c.role, offset: c.offset}
		l.parts.parts[1] = &following{of: r, last: c.last, reads: 7}
		if s := l.statusOf(r); s.Reason != "its record ends at 4.6s: the connection was lost" || s.Reads != 7 {
			t.Errorf("%s: %+v", c.role, s)
		}
	}
}
