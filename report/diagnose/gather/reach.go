package gather

import (
	"slices"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/diagnose/reach"
	"github.com/rampload/rampload/report/runlog"
)

// reaches reads how far failed requests got, along the hops that were seen and along the hosts behind
// them that the profile names.
func reaches(c *evidence.Case, first *hops.Hop) []reach.Hop {
	nodes := map[*hops.Hop]*reach.Node{}
	var node func(h *hops.Hop) *reach.Node
	node = func(h *hops.Hop) *reach.Node {
		if n := nodes[h]; n != nil {
			return n
		}
		n := &reach.Node{Hosts: h.Hosts()}
		nodes[h] = n
		for _, next := range h.Next {
			// Without a connection that came up there is no traffic to read.
			up := slices.ContainsFunc(next.Asked, func(p *hops.Peer) bool {
				v := p.Tracks[probe.PeerConnections].Value
				return len(v) > 0 && slices.Max(v) > 0
			})
			if up || len(next.Instances) > 0 {
				n.Next = append(n.Next, node(next))
			}
		}
		return n
	}
	root := node(first)
	last := root
	for i := range c.Hops {
		h := &c.Hops[i]
		if h.Station != nil {
			h.Node = node(h.Station)
		} else if h.Host != "" {
			h.Node = &reach.Node{Hosts: []string{h.Host}}
			last.Next = append(last.Next, h.Node)
		}
		last = h.Node
		if last == nil {
			break
		}
	}
	load := Requests(c)
	out := reach.Follow(c.Run.Log, root, load)
	for i := range out {
		for _, h := range c.Hops {
			if h.Station != nil && h.Node == out[i].Node {
				out[i].Requests = requestsAt(h.Station, load)
				out[i].Replies = repliesAt(c, h.Index)
			}
		}
	}
	return out
}

// requestsAt reads how many requests came in to the instances of a hop for each request served and for
// each failed, by the hop's own connections.
func requestsAt(h *hops.Hop, load reach.Load) reach.Per {
	var total []float64
	for _, x := range h.Instances {
		came := x.Tracks[probe.Arrived]
		s := runlog.Series{Value: came.Value}
		for _, at := range came.At {
			s.At = append(s.At, time.Duration(at*float64(time.Second)))
		}
		one := load.Resample(&s)
		if one == nil {
			return load.Per(nil)
		}
		for i := range one {
			if total != nil {
				one[i] += total[i]
			}
		}
		total = one
	}
	return load.Per(total)
}

// repliesAt returns how many error answers of a hop were read for each failed request.
func repliesAt(c *evidence.Case, index int) float64 {
	sum := 0.0
	for i := range c.Spoken {
		j := &c.Spoken[i]
		if at, ok := Replier(c, j.Line); j.Replied() && ok && at == index {
			sum += j.Times / max(j.Of, 1)
		}
	}
	return sum
}

// Requests returns the numbers of requests served and failed, by window.
func Requests(c *evidence.Case) reach.Load {
	return reach.Load{Step: c.Run.Step, Ok: c.Target.Ok, Failed: c.Target.Failed}
}
