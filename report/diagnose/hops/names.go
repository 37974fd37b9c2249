package hops

import (
	"slices"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/runlog"
)

// nameChildren gives the connections of a process that listens nowhere to the service of its
// host. Some servers work in child processes of another name: varnishd in cache-main. It does so
// only where the host has one service, that service asks nobody under its own name, and the host
// is not the one that sends the load.
func (g *Graph) nameChildren() {
	only := map[string]string{} // the one service of a host; empty: several
	for _, x := range g.Services {
		name, known := only[x.Host]
		switch {
		case x.Process == "":
		case !known:
			only[x.Host] = x.Process
		case name != x.Process:
			only[x.Host] = ""
		}
	}
	for _, p := range g.Peers {
		if p.Process != "" && p.Process == only[p.Host] {
			only[p.Host] = "" // it asks under its own name, so processes of another name are not its own
		}
	}
	for _, p := range g.Peers {
		name := only[p.Host]
		listens := slices.ContainsFunc(g.Services, func(x *Service) bool { return x.Host == p.Host && x.Process == p.Process })
		if name == "" || p.Process == "" || listens || p.Host == profiles.LocalHost || len(g.Answering(p.space, p.Addr)) == 0 {
			continue
		}
		p.Process = name
	}
}

// nameNameless names the process of connections whose process was not found. The probe looks up
// rarely which process holds a socket, and short connections are gone by then. The process is
// the only one of the host that was seen to ask the same peer; where none was, the only one that
// was seen to ask another instance of the same service.
func (g *Graph) nameNameless() {
	g.Peers = slices.DeleteFunc(g.Peers, func(p *Peer) bool {
		if p.Process != "" {
			return false
		}
		var same []*Peer
		for _, q := range g.Peers {
			if q != p && q.Process != "" && q.Host == p.Host && q.Addr == p.Addr {
				same = append(same, q)
			}
		}
		if len(same) == 0 {
			p.Process = g.asksOthers(p)
		}
		if len(same) != 1 {
			return false
		}
		for name, t := range p.Tracks {
			s := &runlog.Series{}
			for i := range t.At {
				s.At, s.Value = append(s.At, seconds(t.At[i])), append(s.Value, t.Value[i])
			}
			same[0].Tracks[name] = same[0].Tracks[name].join(s).merge(name)
		}
		return true
	})
}

// asksOthers returns the process on a peer's host that was seen to ask an instance of the
// service that answers at the peer; empty where none was, or several.
func (g *Graph) asksOthers(p *Peer) string {
	at := g.Answering(p.space, p.Addr)
	if len(at) == 0 || at[0].Process == "" {
		return ""
	}
	name := ""
	for _, q := range g.Peers {
		other := q.Process != "" && q.Host == p.Host && slices.ContainsFunc(g.Answering(q.space, q.Addr), func(x *Service) bool {
			return x.Process == at[0].Process && x.Addr.Port() == at[0].Addr.Port()
		})
		switch {
		case !other || q.Process == name:
		case name != "":
			return ""
		default:
			name = q.Process
		}
	}
	return name
}

// placeParts sets the host of each service to the part of its machine that it runs on, where the
// profile names parts of a machine by their processes.
func (g *Graph) placeParts(log *runlog.Log) {
	of := map[int32]string{}
	for _, s := range log.Series {
		// A process that a part names may also be read for the whole machine, by its socket. It
		// belongs to the part.
		if m := s.Metric; m.PID != 0 && m.Name == probe.OpenFiles && !g.isPart(of[m.PID]) {
			of[m.PID] = m.Host
		}
	}
	places := map[[2]string]string{}
	for _, x := range g.Services {
		for _, pid := range x.PIDs {
			if h := of[pid]; h != "" && h != x.Host && g.sameMachine(h, x.space) {
				x.Host = h
				places[[2]string{x.space, x.Process}] = h
				break
			}
		}
	}
	for _, p := range g.Peers {
		if h := places[[2]string{p.space, p.Process}]; h != "" {
			p.Host = h
		}
	}
}

// isPart reports whether a host is a named part of another.
func (g *Graph) isPart(host string) bool {
	return slices.ContainsFunc(g.hosts, func(h runlog.Host) bool { return h.Name == host && h.SameAs != "" && h.SameAs != host })
}

// sameMachine reports whether a host is a part of another.
func (g *Graph) sameMachine(part, whole string) bool {
	for _, h := range g.hosts {
		if h.Name == part {
			return h.SameAs == whole
		}
	}
	return false
}
