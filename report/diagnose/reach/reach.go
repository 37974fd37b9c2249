// Package reach says how far requests that failed got along a chain of hops. Waiting is
// followed by what stands (waiting); what fails at once stands nowhere, but whatever came
// to a hop, and whatever it sent back, was counted by its network interfaces. What a failed
// request brings is told from what a served one brings by regression over the seconds of
// the run, so that no time before the failures is needed. It names no cause.
package reach

import (
	"cmp"
	"math"
	"slices"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// Node is one hop with those that it asks.
type Node struct {
	Hosts []string
	Next  []*Node
}

// Hop is how much of the traffic of a hop failed requests make.
type Hop struct {
	Node     *Node
	Arrived  Per // bytes that came from the hop before
	Answered Per // bytes that went back to it
	// Requests is what came in on the connections of the service itself, in requests.
	Requests Per
	// Replies is how many errors it was read to answer with for each failed request; 0 where
	// none were read.
	Replies float64
}

// Came says whether failed requests came to a hop as served ones do: true, false, or not
// known. Who answers them has got them. The bytes of interfaces are those of everybody, and what a
// hop exchanged with those behind it is taken from them, so that a stranger who asks these too
// may hide what came; where the service's own connections tell otherwise, nobody knows.
func (h Hop) Came() (yes, known bool) {
	if h.Replies >= answers {
		return true, true
	}
	yes, known = h.byBytes()
	if share, err := h.Requests.Share(); known && (yes && share+2*err < few || !yes && share-2*err > some) {
		return false, false
	}
	return yes, known
}

func (h Hop) byBytes() (yes, known bool) {
	share, err := h.Arrived.Share()
	switch {
	case math.IsNaN(share) && h.Arrived.Failed+2*h.Arrived.ErrFail < leastBytes:
		return false, true // whatever a served one brings, a request is longer
	case math.IsNaN(share):
		return false, false
	case share-2*err > few:
		return true, true
	case share+2*err < some:
		return false, true
	}
	return false, false
}

// A request that does not come at all leaves health checks and rounding; one that does
// brings at least the packets of a connection, or a refused try of one.
const (
	few  = 0.25
	some = 0.4
)

// answers is how many errors a hop answers with for each failed request that comes to it, if it is
// there that they fail; those to health checks are few.
const answers = 0.5

// leastBytes is what the shortest request brings at least: its packets' headers.
const leastBytes = 40

// Shape of the data that a regression needs.
const (
	leastSeconds  = 8
	leastFailed   = 20
	leastServed   = 30
	leastReadings = 8
)

// Follow reads how far failed requests got from the first hop on. Services that one asks
// on the same host are read as one; of hops of different depth on one host the traffic
// cannot be told apart.
func Follow(log *runlog.Log, first *Node, load Load) []Hop {
	if first == nil {
		return nil
	}
	r := reader{log: log, load: load, depths: map[string]int{}}
	r.place([]*Node{first}, 1)
	return r.follow([]*Node{first})
}

type reader struct {
	log    *runlog.Log
	load   Load
	depths map[string]int // by host; 0: several
}

// place notes at which depth each host is.
func (r *reader) place(group []*Node, depth int) {
	for _, host := range hostsOf(group) {
		if _, known := r.depths[host]; known {
			depth = 0
		}
		r.depths[host] = depth
	}
	for _, g := range groups(nextOf(group)) {
		r.place(g, depth+1)
	}
}

func (r *reader) follow(group []*Node) []Hop {
	in, back := r.traffic(group)
	arrived, answered := r.load.Per(in), r.load.Per(back)
	var out []Hop
	for _, h := range group {
		out = append(out, Hop{Node: h, Arrived: arrived, Answered: answered})
	}
	for _, g := range groups(nextOf(group)) {
		out = append(out, r.follow(g)...)
	}
	return out
}

// groups puts services together that run on the same hosts.
func groups(all []*Node) [][]*Node {
	var out [][]*Node
	for _, h := range all {
		at := slices.IndexFunc(out, func(g []*Node) bool {
			return slices.ContainsFunc(h.Hosts, func(host string) bool { return slices.Contains(hostsOf(g), host) })
		})
		if at < 0 {
			out = append(out, []*Node{h})
		} else {
			out[at] = append(out[at], h)
		}
	}
	return out
}

func hostsOf(group []*Node) []string {
	var out []string
	for _, h := range group {
		for _, host := range h.Hosts {
			if !slices.Contains(out, host) {
				out = append(out, host)
			}
		}
	}
	return out
}

func nextOf(group []*Node) []*Node {
	var out []*Node
	for _, h := range group {
		for _, n := range h.Next {
			if !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

// traffic returns the running totals of what came to a group from the one before, and of
// what went back, in bytes at the end of each second; nil where they cannot be told. What
// it exchanged with those that it asks is theirs.
func (r *reader) traffic(group []*Node) (in, back []float64) {
	hosts := hostsOf(group)
	if len(hosts) == 0 {
		return nil, nil
	}
	for _, host := range hosts {
		if r.depths[host] == 0 {
			return nil, nil
		}
		in, back = plus(in, r.total(host, probe.NetReceived), 1), plus(back, r.total(host, probe.NetSent), 1)
	}
	for _, g := range groups(nextOf(group)) {
		asked, answered := r.traffic(g)
		if asked == nil || answered == nil || in == nil || back == nil {
			return nil, nil
		}
		in, back = plus(in, answered, -1), plus(back, asked, -1)
	}
	return in, back
}

// total returns the sum of a total of a host over its network interfaces, at the end of
// each second of the load; nil without enough readings.
func (r *reader) total(host, name string) []float64 {
	var out []float64
	for i := range r.log.Series {
		s := &r.log.Series[i]
		if m := s.Metric; m.Host != host || m.Name != name || m.Process != "" || m.Instance == "lo" {
			continue
		}
		if at := r.load.Resample(s); at != nil {
			out = plus(out, at, 1)
		}
	}
	return out
}

// Deepest returns the index in a chain, outermost first, of the last hop that failed
// requests came to, and whether it is known that they did not come to the next. The first
// hop is asked by the client itself.
func Deepest(all []Hop, chain []*Node) (index int, stops bool) {
	for i := 1; i < len(chain); i++ {
		at := slices.IndexFunc(all, func(h Hop) bool { return h.Node == chain[i] })
		if at < 0 {
			return index, false
		}
		came, known := all[at].Came()
		switch {
		case !known:
			return index, false
		case !came:
			return index, true
		}
		index = i
	}
	return index, false
}

// Each returns the series of a name on a host, those with the most readings first.
func Each(log *runlog.Log, host, name string) []*runlog.Series {
	var out []*runlog.Series
	for i := range log.Series {
		if m := log.Series[i].Metric; m.Host == host && m.Name == name {
			out = append(out, &log.Series[i])
		}
	}
	slices.SortStableFunc(out, func(a, b *runlog.Series) int { return cmp.Compare(len(b.At), len(a.At)) })
	return out
}
