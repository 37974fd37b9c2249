package fleet

import (
	"context"
	"testing"
	"time"

	"github.com/rampload/rampload/cmd/internal/bus"
	"github.com/rampload/rampload/cmd/internal/fleet/spool"
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

// A delivery that has ended is forgotten, though nobody says that it has arrived.
func TestDeliveriesAreForgotten(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // or: it was delivered, and no order "done" comes as the coordinator is gone
	m := &Member{delivering: ctx}
	for range 3 {
		s, err := spool.New("", 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		m.deliver("0123456789abcdef", 1, s)
	}
	if n := len(m.deliveries["0123456789abcdef"]); n != 0 {
		t.Errorf("%d deliveries that have ended are kept", n)
	}
}
