package waiting

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/rampload/rampload/probe"
)

// Bounds of the series of a sampler. Those with the most connections are kept.
const (
	maxServices = 32
	maxPeers    = 48
	maxCallers  = 64
	maxServing  = 64 // processes of a service
)

// tally counts the connections of one reading, by service and by peer. A service or peer that is gone
// goes on with 0, so that its series does not break off.
type tally struct {
	services map[netip.AddrPort]*service
	ports    map[uint16]*service // listeners of any address
	peers    map[peerKey]*peer
	arrivals arrivals
}

type service struct {
	addr   netip.AddrPort
	open   bool // it listens, in this reading
	seen   bool // it had connections
	inodes []uint32
	owner  owner

	connections, owed, unread, notAccepted float64
	ages                                   []time.Duration
	callers                                map[netip.Addr]float64
	accepted                               []uint32 // inodes of connections that owe an answer
	others                                 []uint32 // inodes of connections that owe none
	begun                                  []uint32 // inodes of connections whose data was all read, or on which none came yet
	coming                                 []uint32 // inodes of connections on which a request is coming in pieces
	incomplete                             float64
	resent                                 float64 // answers that were sent again and are not acknowledged
	arrived                                float64 // requests, since the first reading
	segments, bytes                        float64 // of data that came in on connections seen
	freshBytes                             float64 // of bytes, those of connections seen for the first time
	fresh, freshAll                        float64 // connections seen for the first time: in this reading, and in all
}

// owner is the process of a service, and all processes that share its listener.
type owner struct {
	name string
	pids []int32
}

// peerKey is a process and an address that it has connections to.
type peerKey struct {
	process string
	addr    netip.AddrPort
}

type peer struct {
	connections, connecting, awaiting, unacked, unread float64
	asked                                              float64 // requests, since the first reading
	answered                                           float64 // answers, since the first reading

	ages, trips []time.Duration
}

func newTally() *tally {
	return &tally{services: map[netip.AddrPort]*service{}, ports: map[uint16]*service{}, peers: map[peerKey]*peer{}}
}

func (t *tally) reset() {
	for _, s := range t.services {
		s.open = false
		s.inodes, s.accepted, s.others, s.ages = s.inodes[:0], s.accepted[:0], s.others[:0], s.ages[:0]
		s.begun, s.coming = s.begun[:0], s.coming[:0]
		s.connections, s.owed, s.unread, s.notAccepted, s.fresh, s.incomplete, s.resent = 0, 0, 0, 0, 0, 0, 0
		for a := range s.callers {
			s.callers[a] = 0
		}
	}
	clear(t.ports)
	for _, p := range t.peers {
		*p = peer{ages: p.ages[:0], trips: p.trips[:0], asked: p.asked, answered: p.answered}
	}
}

// listener records a listening socket.
func (t *tally) listener(c conn) {
	addr := c.local
	if addr.Addr().IsUnspecified() {
		addr = netip.AddrPortFrom(netip.IPv4Unspecified(), addr.Port())
	}
	s := t.services[addr]
	if s == nil {
		s = &service{addr: addr, callers: map[netip.Addr]float64{}}
		t.services[addr] = s
	}
	s.open = true
	s.inodes = append(s.inodes, c.inode)
	if t.ports[addr.Port()] == nil || addr.Addr().IsUnspecified() {
		t.ports[addr.Port()] = s
	}
}

// of returns the service that a connection came in to; nil for one that this end opened.
func (t *tally) of(c conn) *service {
	if s := t.services[c.local]; s != nil && s.open {
		return s
	}
	if s := t.ports[c.local.Port()]; s != nil && s.addr.Addr().IsUnspecified() {
		return s
	}
	return nil
}

// in counts a connection to a service. stood is how long it has waited at least where it owes.
func (s *service) in(c conn, stood time.Duration) {
	s.seen = true
	s.connections++
	if len(s.callers) < maxCallers {
		s.callers[c.remote.Addr()]++
	} else if _, known := s.callers[c.remote.Addr()]; known {
		s.callers[c.remote.Addr()]++
	}
	if c.inode == 0 {
		s.notAccepted++
		return
	}
	if c.resends() {
		s.resent++
	}
	age, owes := c.owes()
	if c.unread() {
		s.unread++
		owes = true
	}
	if !c.unread() && (owes || c.hasInfo && c.info.in == 0) && c.state == established {
		s.begun = append(s.begun, c.inode)
	}
	if !owes {
		s.others = append(s.others, c.inode)
		return
	}
	s.owed++
	s.ages = append(s.ages, max(age, stood))
	s.accepted = append(s.accepted, c.inode)
}

// out counts a connection that a process opened, and returns its peer; nil where it is not counted.
// stood is how long it has waited at least, if it waits for an answer.
func (t *tally) out(c conn, process string, stood time.Duration) *peer {
	if c.inode == 0 { // its process has closed it
		return nil
	}
	key := peerKey{process, c.remote}
	p := t.peers[key]
	if p == nil {
		if len(t.peers) >= 4*maxPeers {
			return nil
		}
		p = &peer{}
		t.peers[key] = p
	}
	if c.state == synSent {
		p.connecting++
		return p
	}
	p.connections++
	if d, ok := c.roundTrip(); ok {
		p.trips = append(p.trips, d)
	}
	if c.unread() {
		p.unread++
		return p
	}
	if c.state == closeWait {
		return p // the other end has closed it, so no answer will come
	}
	if age, asks := c.asks(); asks {
		p.awaiting++
		p.ages = append(p.ages, max(age, stood))
		if c.resends() {
			p.unacked++
		}
	}
	return p
}

// emit emits the readings of the services and peers with the most connections.
func (t *tally) emit(host string, emit func(probe.Reading)) {
	put := func(process, name, instance string, v float64) {
		emit(probe.Reading{Metric: probe.Metric{Host: host, Process: cmp.Or(process, probe.Nobody), Name: name, Instance: instance}, Value: v, Limit: probe.NoLimit()})
	}
	all := 0.0
	for _, s := range t.services {
		all += s.connections
	}
	put("", probe.Inbound, "", all)
	for _, s := range t.busiestServices() {
		at := instance(s.addr)
		oldest, middle := ages(s.ages)
		put(s.owner.name, probe.Inbound, at, s.connections)
		put(s.owner.name, probe.Arrived, at, s.arrived)
		if !s.seen {
			continue // it listens, and never had a connection
		}
		put(s.owner.name, probe.NotAccepted, at, s.notAccepted)
		put(s.owner.name, probe.RequestsUnread, at, s.unread)
		put(s.owner.name, probe.Incomplete, at, s.incomplete)
		put(s.owner.name, probe.Owed, at, s.owed)
		put(s.owner.name, probe.OwedOldest, at, oldest)
		put(s.owner.name, probe.OwedMedian, at, middle)
		put(s.owner.name, probe.AnswersResent, at, s.resent)
		for _, a := range sortedCallers(s.callers) {
			put(s.owner.name, probe.Callers, at+" "+a.String(), s.callers[a])
		}
	}
	for _, k := range t.busiestPeers() {
		p, at := t.peers[k], k.addr.String()
		oldest, middle := ages(p.ages)
		put(k.process, probe.PeerConnections, at, p.connections)
		put(k.process, probe.Connecting, at, p.connecting)
		put(k.process, probe.Awaiting, at, p.awaiting)
		put(k.process, probe.AwaitingOldest, at, oldest)
		put(k.process, probe.AwaitingMedian, at, middle)
		if _, trip := ages(p.trips); trip > 0 {
			put(k.process, probe.RoundTrip, at, trip)
		}
		put(k.process, probe.Unacknowledged, at, p.unacked)
		put(k.process, probe.AnswersUnread, at, p.unread)
		put(k.process, probe.Asked, at, p.asked)
		put(k.process, probe.AnswersReceived, at, p.answered)
	}
}

func (t *tally) busiestServices() []*service {
	var all []*service
	for _, s := range t.services {
		if s.open {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *service) int {
		return cmp.Or(cmp.Compare(index(b.seen), index(a.seen)), cmp.Compare(b.connections, a.connections), a.addr.Compare(b.addr))
	})
	return all[:min(len(all), maxServices)]
}

func (t *tally) busiestPeers() []peerKey {
	keys := make([]peerKey, 0, len(t.peers))
	for k := range t.peers {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b peerKey) int {
		x, y := t.peers[a], t.peers[b]
		return cmp.Or(cmp.Compare(y.connections+y.connecting, x.connections+x.connecting), cmp.Compare(a.process, b.process), a.addr.Compare(b.addr))
	})
	return keys[:min(len(keys), maxPeers)]
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

func sortedCallers(m map[netip.Addr]float64) []netip.Addr {
	out := make([]netip.Addr, 0, len(m))
	for a := range m {
		out = append(out, a)
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}

// ages returns the largest and the median age, in seconds; 0 without any.
func ages(all []time.Duration) (oldest, middle float64) {
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return all[len(all)-1].Seconds(), all[len(all)/2].Seconds()
}

// instance names a listener as ss does: "*:8080" for every address.
func instance(a netip.AddrPort) string {
	if a.Addr().IsUnspecified() {
		return fmt.Sprintf("*:%d", a.Port())
	}
	return a.String()
}
