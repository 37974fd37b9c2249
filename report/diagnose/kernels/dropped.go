package kernels

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/format"
)

// Dropped are packets of one kind on their way to or from a target's port that one
// kernel dropped alike, or refused by a rule, while the target's faults were there.
type Dropped struct {
	Host      string
	Rejected  bool   // answered with a RST by a REJECT rule; else dropped
	Reason    string // the kernel's: "NETFILTER_DROP", "IP_RPFILTER"; of a RST empty
	Packet    string // "SYN", "segment"; of a RST empty
	Port      uint16 // the target's
	Function  string // that dropped
	Hook      string // of netfilter, "FORWARD"
	Table     string
	Chain     string
	Interface string
	Count     float64
	Before    float64 // a second, before the faults began
	First     float64 // seconds
	To        string  // watched host whose address it was for, other than Host; empty: none
}

// DroppedToTarget lists what the kernels on the way dropped and rejected, the most frequent
// first. A host that serves only other targets is not on the way, and what went on at
// the same rate before the faults is left out.
func DroppedToTarget(c *evidence.Case) []Dropped {
	return droppedTo(c, evidence.PortsOf(c, evidence.Hop{}), c.From-evidence.JoinReach, false)
}

// DroppedBehind lists what they dropped between a hop and the next, of whose port it is.
func DroppedBehind(c *evidence.Case, port uint16) []Dropped {
	return droppedTo(c, map[uint16]bool{port: true}, c.From-evidence.JoinReach, false)
}

// DroppedThroughout lists what they dropped and rejected in the whole run, also what
// went on all the time: for a run in which nothing failed.
func DroppedThroughout(c *evidence.Case) []Dropped {
	return droppedTo(c, evidence.PortsOf(c, evidence.Hop{}), 0, true)
}

// destination names the watched host that a dropped packet was for, where that is another one
// than dropped it and the profile names it behind: a host on the way did not pass it on.
func destination(c *evidence.Case, e probe.Event, port uint16) string {
	to := e.Local
	if to.Port() != port {
		to = e.Remote
	}
	host := c.Run.HostOf(to.Addr())
	if e.Kind != probe.PacketDrop || host == e.Host || !slices.ContainsFunc(c.Hops, func(h evidence.Hop) bool { return h.Has(host) }) {
		return ""
	}
	return host
}

func droppedTo(c *evidence.Case, ports map[uint16]bool, early float64, steady bool) []Dropped {
	type group struct {
		host, reason, packet, function, hook, table, chain, device, to string
		rejected                                                       bool
		port                                                           uint16
	}
	sums := map[group]*Dropped{}
	for _, e := range c.Run.Log.Events {
		at := e.At.Seconds()
		if e.Kind != probe.PacketDrop && e.Kind != probe.RSTRejected || at < 0 || at > c.To+evidence.JoinReach || evidence.ServesOther(c, e.Host) {
			continue
		}
		port := e.Local.Port()
		if !ports[port] {
			port = e.Remote.Port()
		}
		if !ports[port] {
			continue
		}
		var k probe.Kernel
		if e.Kernel != nil {
			k = *e.Kernel
		}
		g := group{e.Host, e.Reason, k.Packet, k.Path, k.Hook, k.Table, k.Chain, k.Interface, destination(c, e, port), e.Kind == probe.RSTRejected, port}
		if g.rejected {
			g.reason, g.packet, g.function = "", "", ""
		}
		if sums[g] == nil {
			sums[g] = &Dropped{
				Host: g.host, Rejected: g.rejected, Reason: g.reason, Packet: g.packet, Port: port, Function: g.function,
				Hook: g.hook, Table: g.table, Chain: g.chain, Interface: g.device, First: at, To: g.to,
			}
		}
		v := sums[g]
		if at < early {
			v.Before += float64(max(e.Count, 1)) / early
			continue
		}
		if v.Count == 0 {
			v.First = at
		}
		v.Count += float64(max(e.Count, 1))
		v.First = min(v.First, at)
	}
	var out []Dropped
	for _, v := range sums {
		// What was dropped as often before anything failed is somebody else's.
		if v.Count == 0 || !steady && v.Before >= 0.5*v.Count/max(c.To-c.From, 1) {
			continue
		}
		attributeToTracking(c, v, early)
		out = append(out, *v)
	}
	slices.SortFunc(out, func(x, y Dropped) int {
		return cmp.Or(-cmp.Compare(x.Count, y.Count), cmp.Compare(x.First, y.First), cmp.Compare(x.Text(), y.Text()))
	})
	return out
}

// attributeToTracking corrects the reason where a kernel told no more than that
// netfilter dropped, and no rule: where connection tracking itself decides, and counted
// about as many refusals, it was connection tracking.
func attributeToTracking(c *evidence.Case, v *Dropped, from float64) {
	if !v.Filtered() || v.Table != "" || v.Function != "nf_hook_slow" || v.Hook == "FORWARD" {
		return
	}
	count := func(name string) (n float64) {
		for _, r := range c.Run.Resources {
			if r.Metric.Name == name && r.Metric.Host == v.Host && r.Metric.Process == "" && r.Counter != nil {
				n += r.Counter.Between(from, c.To+1)
			}
		}
		return n
	}
	full, failed := count(probe.ConntrackDrop), count(probe.ConntrackInsertFail)
	if max(full, failed) < 0.5*v.Count {
		return
	}
	v.Reason = "CONNTRACK_FULL"
	if failed > full || failed > 0 && (v.Hook == "INPUT" || v.Hook == "POSTROUTING") { // where a connection is entered
		v.Reason = "CONNTRACK_INSERT_FAILED"
	}
}

// Text says it: "the kernel of fw0 dropped 1,199 SYNs to :8080 in FORWARD of table
// filter". What the kernel did not tell is left out.
func (v Dropped) Text() string {
	s := fmt.Sprintf("the kernel of %s rejected connections to :%d with %s", v.Host, v.Port, format.Counted(v.Count, "reset"))
	if !v.Rejected {
		what := cmp.Or(v.Packet, "packet")
		if what == "packet-too-big" {
			what += " message"
		}
		direction := "of connections to"
		switch v.Packet {
		case "SYN":
			direction = "to"
		case "SYN-ACK":
			direction = "from"
		}
		s = fmt.Sprintf("the kernel of %s dropped %s %s :%d", v.Host, format.Counted(v.Count, what), direction, v.Port)
	}
	switch {
	case v.Hook != "":
		s += " in " + v.Hook
	case v.Function != "" && v.Reason == "":
		s += " in " + v.Function
	}
	if v.Table != "" {
		s += " of table " + v.Table
		if v.Chain != "" {
			s += ", chain " + v.Chain
		}
	}
	if why := v.why(); why != "" {
		s += ": " + why
	}
	return s
}

// why says the kernel's reason where the place does not say it.
func (v Dropped) why() string {
	switch {
	case v.Rejected, v.Reason == "", v.Filtered() && v.Hook != "":
		return ""
	case v.Filtered():
		return "a rule of netfilter"
	case v.TableFull():
		return "connection tracking took no more (" + v.Reason + ")"
	case v.Reversed():
		return "the way back to the sender leaves by another interface than " + cmp.Or(v.Interface, "it came by") + " (" + v.Reason + ")"
	case v.QueueFull():
		return "the accept queue was full"
	case v.Reason == "SYN_QUEUE_FULL":
		return "the queue of half-open connections was full"
	case v.Congested():
		return "a queue of " + cmp.Or(v.Interface, "an interface") + " was full (" + v.Reason + ")"
	case v.NoNeighbor():
		return "no host on the network answers for the address (" + v.Reason + ")"
	case v.NotForwarded():
		return "they are for " + v.To + ", and it does not pass them on (" + v.Reason + ")"
	case v.Misled():
		return "it does not have the address that they ask for, nor a way to it (" + v.Reason + ")"
	case v.Reason == "PKT_TOO_BIG":
		return "too big for the way on (" + v.Reason + ")"
	}
	return v.Reason
}

// Filtered reports whether a rule of netfilter dropped packets of connections; what it
// drops of RSTs ends nothing, and ICMP's is a matter of its own (TooBig).
func (v Dropped) Filtered() bool {
	return !v.Rejected && v.Reason == "NETFILTER_DROP" && slices.Contains([]string{"SYN", "SYN-ACK", "segment"}, v.Packet)
}

// NotEntered reports whether connection tracking could not enter the connection.
func (v Dropped) NotEntered() bool { return v.Reason == "CONNTRACK_INSERT_FAILED" }

// TableFull reports whether connection tracking had no room.
func (v Dropped) TableFull() bool {
	return v.Reason == "CONNTRACK_FULL" || v.NotEntered()
}

// Reversed reports whether a reverse-path filter dropped.
func (v Dropped) Reversed() bool { return v.Reason == "IP_RPFILTER" }

// TooBig reports whether packets were too big for a way on, or whoever says so to
// their sender was not heard.
func (v Dropped) TooBig() bool {
	return !v.Rejected && (v.Reason == "PKT_TOO_BIG" || v.Packet == "packet-too-big")
}

// QueueFull reports whether a listener had no room for a connection.
func (v Dropped) QueueFull() bool {
	return v.Reason == "ACCEPT_QUEUE_FULL" || v.Reason == "TCP_LISTEN_OVERFLOW"
}

// Congested reports whether a queue of a network interface, or of the kernel behind
// it, had no room (enum skb_drop_reason in include/net/dropreason-core.h).
func (v Dropped) Congested() bool {
	return !v.Rejected && (strings.HasPrefix(v.Reason, "QDISC_") || slices.Contains([]string{"FULL_RING", "CPU_BACKLOG", "NOMEM", "SOCKET_RCVBUFF", "PROTO_MEM"}, v.Reason))
}

// NoNeighbor reports whether no host on the network answered for the next address.
func (v Dropped) NoNeighbor() bool {
	return !v.Rejected && (v.Reason == "NEIGH_FAILED" || v.Reason == "NEIGH_QUEUEFULL" || v.Reason == "NEIGH_CREATEFAIL")
}

// Misled reports whether packets came to a host that neither has their address nor knows a
// way to it: whoever sent them has an address or a route that was right once
// (ip_route_input_slow in net/ipv4/route.c).
func (v Dropped) Misled() bool {
	return v.To == "" && v.astray()
}

// NotForwarded reports whether packets for another host, which is there, came to one that does
// not pass them on: a router that has stopped, or has lost its way to it.
func (v Dropped) NotForwarded() bool { return v.To != "" && v.astray() }

func (v Dropped) astray() bool {
	return !v.Rejected && v.Packet == "SYN" && (v.Reason == "IP_INADDRERRORS" || v.Reason == "IP_INNOROUTES")
}

// Harms reports whether a connection misses what was dropped: not what the kernel
// drops of connections that have ended.
func (v Dropped) Harms() bool {
	return v.Rejected || v.Filtered() || v.TableFull() || v.Reversed() || v.TooBig() || v.QueueFull() || v.Congested() || v.NoNeighbor() || v.astray() || v.Reason == "SYN_QUEUE_FULL" || v.Reason == "NETFILTER_REJECT"
}

// SumDropped adds up those that a question is about and returns the most frequent of them;
// Count 0: none.
func SumDropped(all []Dropped, about func(Dropped) bool) (n float64, most Dropped) {
	for _, v := range all {
		if about(v) {
			if n == 0 {
				most = v
			}
			n += v.Count
		}
	}
	return n, most
}

// Wait is how long packets waited for the process that serves a target's port.
type Wait struct {
	Count   float64
	Slowest float64 // seconds that the slowest hundredth took at least, at the worst; NaN: not told
	Light   float64 // the same before the faults; NaN: not told
	At      float64 // seconds: when it was at the worst
}

// Took says how long the slowest hundredth took at least.
func (w Wait) Took() string {
	if w.Slowest < 1 { // to the millisecond: 0.2 s may be 0.16 s or 0.24 s
		return fmt.Sprintf("%.0f ms", 1000*w.Slowest)
	}
	return format.Seconds(w.Slowest)
}

// Text says that a process was late to do something: "accepted 240 ms late: the
// process, not the network".
func (w Wait) Text(did string) string {
	return did + " " + w.Took() + " late: the process, not the network"
}

// Waits returns how long a hop's processes let connections wait to be accepted
// ("accept") or data to be read ("read").
func Waits(c *evidence.Case, h evidence.Hop, kind string) Wait {
	w := Wait{Slowest: math.NaN(), Light: math.NaN()}
	ports := evidence.PortsOf(c, h)
	for _, e := range c.Run.Log.Events {
		if e.Kind != probe.Waited || !strings.EqualFold(e.Reason, kind) || !h.Has(e.Host) || !ports[e.Local.Port()] {
			continue
		}
		switch at := e.At.Seconds(); {
		case at < c.From:
			if !(e.Value < w.Light) {
				w.Light = e.Value
			}
		case at <= c.To+evidence.JoinReach:
			w.Count += float64(max(e.Count, 1))
			if !(e.Value < w.Slowest) {
				w.Slowest, w.At = e.Value, at
			}
		}
	}
	return w
}
