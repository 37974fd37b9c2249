package rst

import (
	"fmt"

	"github.com/rampload/rampload/probe"
)

// pick returns the events of a kind and host.
func pick(events []probe.Event, kind probe.EventKind, host string) []probe.Event {
	var found []probe.Event
	for _, e := range events {
		if e.Kind == kind && e.Host == host {
			found = append(found, e)
		}
	}
	return found
}

func total(events []probe.Event) int {
	n := 0
	for _, e := range events {
		n += int(max(e.Count, 1))
	}
	return n
}

func show(e probe.Event) string {
	s := fmt.Sprintf("%12v %-8s %-12s %v > %v state=%s reason=%s pid=%d comm=%s n=%d", e.At, e.Host, e.Kind, e.Local, e.Remote, e.State, e.Reason, e.PID, e.Comm, e.Count)
	if e.Packet != nil {
		s += fmt.Sprintf(" %+v", *e.Packet)
	}
	return s
}
