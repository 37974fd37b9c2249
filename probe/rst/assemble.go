package rst

import (
	"cmp"
	"slices"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/rst/tracefs"
)

// assembler makes events of trace records: it puts the buffers of all CPUs into
// one order, completes each record from its neighbours and names its host.
type assembler struct {
	source  probe.Source
	hosts   []placed // nil: everything is of the source's host
	ports   []uint16
	offset  time.Duration // from the trace clock to the run's
	limit   *limiter
	pending []sighting
	flushed time.Duration
}

// sighting is a record on its way to becoming an event.
type sighting struct {
	tracefs.Record
	by    tracefs.Process
	event probe.Event
	done  bool // emitted; kept a little longer to explain its neighbours
}

const (
	// settleFor is how long a record waits for those that complete it: the closing
	// of its socket, and the arrival of a RST whose sender did not know the peer.
	settleFor = 20 * time.Millisecond
	// closingFollows bounds the time between tcp_receive_reset and the closing of
	// the socket, which the kernel does in one go.
	closingFollows = time.Millisecond
	// flushEvery is the length of the intervals that events are counted in.
	flushEvery = 250 * time.Millisecond
)

func (a *assembler) add(r tracefs.Record, by tracefs.Process) {
	a.pending = append(a.pending, sighting{Record: r, by: by, event: a.event(r, by)})
}

func (a *assembler) event(r tracefs.Record, by tracefs.Process) probe.Event {
	e := probe.Event{
		Kind: probe.RSTSent, At: time.Duration(r.At) + a.offset, Source: a.source,
		PID: by.Pid, Comm: by.Comm, Local: r.Local, Remote: r.Remote, Reason: r.Reason, State: r.State,
	}
	switch r.Kind {
	case tracefs.Received:
		e.Kind = probe.RSTReceived
	case tracefs.Retransmit:
		e.Kind = probe.Retransmit
	}
	return e
}

// settle emits what is old enough to be complete, or all of it. now is the run's
// time.
func (a *assembler) settle(now time.Duration, all bool) {
	slices.SortStableFunc(a.pending, func(x, y sighting) int { return cmp.Compare(x.At, y.At) })
	a.fillStates()
	a.fillPeers()
	for i := range a.pending {
		p := &a.pending[i]
		if p.done || !all && p.event.At > now-settleFor {
			continue
		}
		p.done = true
		if p.Kind == tracefs.Closed {
			continue
		}
		if a.place(p) {
			a.limit.add(p.event)
		}
	}
	a.pending = slices.DeleteFunc(a.pending, func(p sighting) bool {
		return p.done && p.event.At < now-settleFor-2*PeerTolerance
	})
	if all || now-a.flushed >= flushEvery {
		a.limit.flush()
		a.flushed = now
	}
}

// fillStates gives each received RST the state that its socket was in, from the
// closing of the socket that follows it. A socket that does not close then had
// been closed by its owner already.
func (a *assembler) fillStates() {
	taken := map[uint64]int{}
	for i, p := range a.pending {
		switch {
		case p.Socket == 0:
		case p.Kind == tracefs.Received:
			taken[p.Socket] = i
		case p.Kind == tracefs.Closed:
			if k, ok := taken[p.Socket]; ok && p.event.At-a.pending[k].event.At <= closingFollows {
				a.pending[k].event.State = p.State
			}
			delete(taken, p.Socket)
		}
	}
}

// fillPeers completes the resets of listeners. See FillPeers.
func (a *assembler) fillPeers() {
	if !slices.ContainsFunc(a.pending, func(p sighting) bool {
		return !p.done && p.Kind == tracefs.Sent && peerless(p.event)
	}) {
		return
	}
	events := make([]probe.Event, 0, len(a.pending))
	var from []int
	for i, p := range a.pending {
		if p.Kind == tracefs.Sent || p.Kind == tracefs.Received {
			events, from = append(events, p.event), append(from, i)
		}
	}
	FillPeers(events, PeerTolerance)
	for k, e := range events {
		if p := &a.pending[from[k]]; !p.done {
			p.event = e
		}
	}
}

// noSocket is the kernel's reason for answering a packet that belongs to no
// socket (include/net/rstreason.h).
const noSocket = "NO_SOCKET"

// place names the event's host, and reports false if the event concerns nobody.
func (a *assembler) place(p *sighting) bool {
	e := &p.event
	ours := len(a.ports) == 0 || slices.Contains(a.ports, e.Local.Port()) || slices.Contains(a.ports, e.Remote.Port())
	if a.hosts == nil {
		e.Host = a.source.Host
		return ours
	}
	e.Host = attribute(a.hosts, e.Local, func() uint64 { return p.by.Net })
	if e.Host == "" {
		known := slices.ContainsFunc(a.hosts, func(h placed) bool { return h.owns(e.Remote.Addr()) })
		return ours && (known || e.Local.Addr().IsUnspecified())
	}
	return ours || e.Reason == noSocket
}
