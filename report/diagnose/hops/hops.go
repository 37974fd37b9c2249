// Package hops finds the way that requests take, from the sockets that were seen on the watched
// hosts: which process serves a target, which services that one asks, and so on. The address
// tells who serves it; where several could, the hosts that the profile names decide. Where
// requests wait on the way is for package waiting to say; hops names no cause.
package hops

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// Service is a process that listens, with what was read of its sockets.
type Service struct {
	Host     string // the watched host that it runs on
	Process  string // its name; empty: not known
	Listener string // "*:8080"
	Addr     netip.AddrPort
	PIDs     []int32
	Callers  []netip.Addr         // addresses that had connections to it
	Taken    map[netip.Addr]Track // connections of each caller
	Tracks   map[string]Track     // readings of its sockets, by metric (probe.Owed ...)

	// Multiplexed says that it had HTTP/2 connections: then the numbers of connections and of
	// segments do not show the number of requests.
	Multiplexed bool

	space string // the host whose sampler saw it
}

// Peer is an address that the processes of one name on one host ask.
type Peer struct {
	Host    string           // that asks
	Process string           // that asks; empty: not known
	Addr    netip.AddrPort   // that is asked
	Service *Service         // that answers there; nil: it is not watched
	Tracks  map[string]Track // readings of the sockets, by metric (probe.Awaiting ...)
	Streams *Streams         // of HTTP/2; nil: none was seen

	space string // the host whose sampler saw it; empty: only the service that is asked saw it
}

// Track is one metric over time, in the order of time. At is in seconds since the load began and
// as long as Value.
type Track struct{ At, Value []float64 }

// Graph holds all services and peers that were seen. It is read-only after Read, and then safe
// for concurrent use.
type Graph struct {
	Services []*Service
	Peers    []*Peer

	hosts      []runlog.Host
	translated map[netip.AddrPort][]netip.AddrPort // destinations that connection tracking changed, by the address asked for
}

// ofService and ofPeer are the metrics that make up the tracks of a service and of a peer.
var ofService = []string{probe.Inbound, probe.NotAccepted, probe.RequestsUnread, probe.Incomplete, probe.Owed, probe.OwedOldest, probe.OwedMedian, probe.AnswersResent, probe.Arrived}

var ofPeer = []string{probe.PeerConnections, probe.Connecting, probe.Awaiting, probe.AwaitingOldest, probe.AwaitingMedian, probe.RoundTrip, probe.Unacknowledged, probe.AnswersUnread, probe.Asked, probe.AnswersReceived}

// Read builds the graph of a run; nil where no sockets were read.
func Read(log *runlog.Log) *Graph {
	g := &Graph{hosts: log.Header.Hosts, translated: map[netip.AddrPort][]netip.AddrPort{}}
	services, peers := map[[2]string]*Service{}, map[[3]string]*Peer{}
	for i := range log.Series {
		s := &log.Series[i]
		m := s.Metric
		if m.Process == probe.Nobody {
			m.Process = ""
		}
		switch {
		case slices.Contains(ofService, m.Name) || m.Name == probe.Serving || m.Name == probe.Callers:
			listener, caller, _ := strings.Cut(m.Instance, " ")
			addr, ok := listenerAddr(listener)
			if !ok {
				continue
			}
			x := services[[2]string{m.Host, listener}]
			if x == nil {
				x = &Service{Host: m.Host, Listener: listener, Addr: addr, Tracks: map[string]Track{}, space: m.Host, Taken: map[netip.Addr]Track{}}
				services[[2]string{m.Host, listener}] = x
				g.Services = append(g.Services, x)
			}
			x.add(s, caller)
		case slices.Contains(ofPeer, m.Name):
			addr, err := netip.ParseAddrPort(m.Instance)
			if err != nil {
				continue
			}
			key := [3]string{m.Host, m.Process, m.Instance}
			x := peers[key]
			if x == nil {
				x = &Peer{Host: m.Host, Process: m.Process, Addr: addr, Tracks: map[string]Track{}, space: m.Host}
				peers[key] = x
				g.Peers = append(g.Peers, x)
			}
			x.Tracks[m.Name] = x.Tracks[m.Name].join(s)
		case m.Name == probe.Translated:
			asked, given, _ := strings.Cut(m.Instance, " ")
			from, errFrom := netip.ParseAddrPort(asked)
			to, errTo := netip.ParseAddrPort(given)
			if errFrom == nil && errTo == nil && !slices.Contains(g.translated[from], to) {
				g.translated[from] = append(g.translated[from], to)
			}
		}
	}
	if len(g.Services)+len(g.Peers) == 0 {
		return nil
	}
	g.nameChildren()
	g.nameNameless()
	g.placeParts(log)
	g.multiplex(log)
	for _, p := range g.Peers {
		if found := g.Answering(p.space, p.Addr); len(found) > 0 {
			p.Service = found[0]
		}
	}
	return g
}

// add takes over a series of the service. caller is the caller's address where the metric is one
// of each caller.
func (x *Service) add(s *runlog.Series, caller string) {
	m := s.Metric
	if m.Process != "" && m.Process != probe.Nobody {
		x.Process = m.Process
	}
	switch m.Name {
	case probe.Serving:
		if !slices.Contains(x.PIDs, m.PID) {
			x.PIDs = append(x.PIDs, m.PID)
		}
	case probe.Callers:
		if a, err := netip.ParseAddr(caller); err == nil && slices.Max(append([]float64{0}, s.Value...)) > 0 {
			a = a.Unmap()
			x.Callers = append(x.Callers, a)
			x.Taken[a] = x.Taken[a].join(s)
		}
	default:
		x.Tracks[m.Name] = x.Tracks[m.Name].join(s)
	}
}

// join adds the readings of a series and keeps the order of time. A process whose name was found
// late has two series.
func (t Track) join(s *runlog.Series) Track {
	n := len(t.At)
	for i, at := range s.At {
		t.At, t.Value = append(t.At, at.Seconds()), append(t.Value, s.Value[i])
	}
	if n > 0 && n < len(t.At) && t.At[n] < t.At[n-1] {
		order := make([]int, len(t.At))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(t.At[i], t.At[j]) })
		out := Track{make([]float64, len(order)), make([]float64, len(order))}
		for k, i := range order {
			out.At[k], out.Value[k] = t.At[i], t.Value[i]
		}
		return out
	}
	return t
}

// Near returns the reading nearest to a time; NaN where none is within a second of it.
func (t Track) Near(at float64) float64 {
	best, apart := math.NaN(), 1.0
	for i, x := range t.At {
		if d := math.Abs(x - at); d <= apart {
			best, apart = t.Value[i], d
		}
	}
	return best
}

// merge makes one reading of those taken at one time: of counts the sum, of ages and round trips
// the largest. name is the metric.
func (t Track) merge(name string) Track {
	var out Track
	for i, at := range t.At {
		k := len(out.At) - 1
		switch {
		case k < 0 || at-out.At[k] > sameTime:
			out.At, out.Value = append(out.At, at), append(out.Value, t.Value[i])
		case name == probe.AwaitingOldest || name == probe.AwaitingMedian || name == probe.RoundTrip:
			out.Value[k] = max(out.Value[k], t.Value[i])
		default:
			out.Value[k] += t.Value[i]
		}
	}
	return out
}

// sameTime is how far apart readings of one pass over the sockets may be, in seconds.
const sameTime = 0.02

// owns reports whether an address is one of a watched host's.
func (g *Graph) owns(host string, addr netip.Addr) bool {
	for _, h := range g.hosts {
		if h.Name != host {
			continue
		}
		for _, s := range h.Addrs {
			if x, err := netip.ParseAddr(s); err == nil && x.Unmap() == addr.Unmap() {
				return true
			}
		}
	}
	return false
}

// Answering returns the services that answer at an address, asked from a host: those that listen
// there, else those that listen where connection tracking translated the address to. The address
// of a balancer that nobody watches leads to the services that have connections from the asking
// host without being asked directly by it, if all of these are instances of one service. Nil for
// none.
func (g *Graph) Answering(from string, addr netip.AddrPort) []*Service {
	if found := g.listening(from, addr); len(found) > 0 {
		return found
	}
	var found []*Service
	for _, to := range g.translated[addr] {
		found = append(found, g.listening(from, to)...)
	}
	if len(found) > 0 || addr.Addr().IsLoopback() || slices.ContainsFunc(g.hosts, func(h runlog.Host) bool { return g.owns(h.Name, addr.Addr()) }) {
		return found
	}
	for _, x := range g.Services {
		asked := slices.ContainsFunc(x.Callers, func(a netip.Addr) bool { return g.owns(from, a) && !a.IsLoopback() })
		direct := slices.ContainsFunc(g.Peers, func(p *Peer) bool { return p.space == from && slices.Contains(g.listening(from, p.Addr), x) })
		if asked && !direct && x.space != from {
			found = append(found, x)
		}
	}
	for _, x := range found {
		if x.Process != found[0].Process || x.Addr.Port() != found[0].Addr.Port() {
			return nil
		}
	}
	return found
}

// listening returns the services that listen at an address, asked from a host.
func (g *Graph) listening(from string, addr netip.AddrPort) []*Service {
	var out []*Service
	for _, x := range g.Services {
		at := x.Addr.Addr().Unmap() == addr.Addr().Unmap() || x.Addr.Addr().IsUnspecified()
		local := addr.Addr().IsLoopback() && x.space == from
		if x.Addr.Port() == addr.Port() && at && (local || !addr.Addr().IsLoopback() && g.owns(x.space, addr.Addr())) {
			out = append(out, x)
		}
	}
	if len(out) > 1 { // parts of one machine share its addresses; a process that asks means its own part
		if own := slices.IndexFunc(out, func(x *Service) bool { return x.space == from }); own >= 0 {
			return out[own : own+1]
		}
	}
	return out
}

// listenerAddr reads "*:8080" and "127.0.0.1:8080".
func listenerAddr(s string) (netip.AddrPort, bool) {
	if port, ok := strings.CutPrefix(s, "*:"); ok {
		n, err := strconv.ParseUint(port, 10, 16)
		return netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(n)), err == nil
	}
	a, err := netip.ParseAddrPort(s)
	return a, err == nil
}

// Hop is one station on the way of a request: a service with its instances, or an address that
// nobody watches.
type Hop struct {
	Process   string
	Port      uint16
	Instances []*Service     // that have connections from the hop before; none where it is unwatched
	Unwatched netip.AddrPort // valid where nobody watches it
	Asked     []*Peer        // the hop before's peers that are this hop
	Next      []*Hop         // the hops that it asks, those with the most connections first
	Back      []*Hop         // hops that it asks and that the chain has already, mostly before it
	Known     int            // instances that were seen to listen, those without connections too
}

// Bounds of a chain: hops one behind the other, and hops that one hop asks.
const (
	maxDepth = 6
	maxNext  = 8
)

// key identifies a hop within a chain.
func (h *Hop) key() string {
	if h.Unwatched.IsValid() {
		return h.Unwatched.String()
	}
	return fmt.Sprintf("%s:%d", h.Process, h.Port)
}

// connections is the largest number of connections to a hop, summed over those that ask.
func (h *Hop) connections() float64 {
	n := 0.0
	for _, p := range h.Asked {
		n += p.most()
	}
	return n
}

// most returns the largest number of connections to a peer at one time, whether they came up or not.
func (p *Peer) most() float64 {
	most := 0.0
	for _, name := range []string{probe.PeerConnections, probe.Connecting} {
		for _, v := range p.Tracks[name].Value {
			most = max(most, v)
		}
	}
	return most
}

// AskedAt returns the peers with an address, at any port; none of a nil graph.
func (g *Graph) AskedAt(addr netip.Addr) []*Peer {
	if g == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(g.Peers), func(p *Peer) bool { return p.Addr.Addr().Unmap() != addr })
}

// LastAsked returns when a connection to a peer was seen last, in seconds since the load began;
// 0: never.
func (p *Peer) LastAsked() float64 {
	last := 0.0
	for _, name := range []string{probe.PeerConnections, probe.Connecting} {
		t := p.Tracks[name]
		for i, v := range t.Value {
			if v > 0 {
				last = max(last, t.At[i])
			}
		}
	}
	return last
}

// Hosts returns the hosts of the instances, each once.
func (h *Hop) Hosts() []string {
	var out []string
	for _, x := range h.Instances {
		if !slices.Contains(out, x.Host) {
			out = append(out, x.Host)
		}
	}
	return out
}

// Has reports whether an instance of the hop has a process of a host.
func (h *Hop) Has(host string, pid int32) bool {
	return slices.ContainsFunc(h.Instances, func(x *Service) bool { return x.Host == host && slices.Contains(x.PIDs, pid) })
}
