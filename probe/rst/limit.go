package rst

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/rampload/rampload/probe"
)

// limiter hands events on one by one as long as they are few, and counts those
// that are many: retransmissions per connection, and resets beyond the limit per
// sender, peer and reason. Nothing is dropped: Count tells how many an event
// stands for. Memory is bounded by maxGroups.
type limiter struct {
	emit      func(probe.Event)
	perSecond int
	served    []uint16      // ports of the servers, where known
	second    time.Duration // start of the second being counted
	emitted   int           // in that second
	groups    map[group]*probe.Event
}

// maxGroups bounds the connections counted between two flushes; those beyond
// share one count per kind, host and served port.
const maxGroups = 4096

type group struct {
	kind          probe.EventKind
	host          string
	local, remote netip.AddrPort
	reason, state string
	pid           int32
	fromPeer      bool
}

func newLimiter(perSecond int, served []uint16, emit func(probe.Event)) *limiter {
	return &limiter{emit: emit, perSecond: perSecond, served: served, second: math.MinInt64, groups: map[group]*probe.Event{}}
}

func (l *limiter) add(e probe.Event) {
	second := e.At.Truncate(time.Second)
	if second > e.At { // before the load, where times are below 0
		second -= time.Second
	}
	if second > l.second {
		l.second, l.emitted = second, 0
	}
	if e.Kind != probe.Retransmit {
		if l.emitted++; l.emitted <= l.perSecond {
			l.emit(e)
			return
		}
		e = l.coarse(e)
	}
	g := group{e.Kind, e.Host, e.Local, e.Remote, e.Reason, e.State, e.PID, e.Packet != nil && e.Packet.FromPeer}
	if _, known := l.groups[g]; !known && len(l.groups) >= maxGroups {
		// A packet keeps the ends and the fingerprint of the first of its group; what is
		// of a service stays of that service.
		var service netip.AddrPort
		if slices.Contains(l.served, e.Local.Port()) {
			service = e.Local
		}
		g = group{kind: e.Kind, host: e.Host, local: service}
		if e.Packet == nil {
			e = probe.Event{Kind: e.Kind, At: e.At, Source: e.Source, Host: e.Host, Local: service, Count: e.Count}
		}
	}
	if have := l.groups[g]; have != nil {
		have.Count += max(e.Count, 1)
		have.At = min(have.At, e.At)
		return
	}
	e.Count = max(e.Count, 1)
	l.groups[g] = &e
}

// coarse forgets the client's port, so that resets of one kind from one peer
// count together: of two ports that are not served, the higher.
func (l *limiter) coarse(e probe.Event) probe.Event {
	local, remote := e.Local.Port(), e.Remote.Port()
	if local == 0 || remote == 0 { // forgotten already
		return e
	}
	served := slices.Contains(l.served, local)
	if !served && !slices.Contains(l.served, remote) {
		served = local < remote
	}
	if served {
		e.Remote = netip.AddrPortFrom(e.Remote.Addr(), 0)
	} else {
		e.Local = netip.AddrPortFrom(e.Local.Addr(), 0)
	}
	return e
}

// flush emits what was counted since the last flush, in order of the first of
// each count.
func (l *limiter) flush() {
	list := make([]*probe.Event, 0, len(l.groups))
	for _, e := range l.groups {
		list = append(list, e)
	}
	clear(l.groups)
	slices.SortFunc(list, func(a, b *probe.Event) int {
		return cmp.Or(cmp.Compare(a.At, b.At), a.Local.Compare(b.Local), a.Remote.Compare(b.Remote))
	})
	for _, e := range list {
		l.emit(*e)
	}
}
