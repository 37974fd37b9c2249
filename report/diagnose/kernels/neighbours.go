package kernels

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/format"
)

// Move is an address that went from one hardware address to another.
type Move struct {
	Addr     netip.Addr
	Seen     string    // the host whose kernel saw it
	Times    []float64 // seconds: of each change about the time when faults were there
	Holders  []string  // the hardware addresses, in the order in which they had it
	Disputed bool      // two have it: it came back, or who had it never gave it up

	turns []turn
	mac   map[string]string // watched hosts by hardware address
}

// turn is the time from which one had the address.
type turn struct {
	from   float64
	holder string
}

// Moves returns the addresses whose holders changed about the time when faults began, as
// hosts of the case saw it; those that are disputed first.
func Moves(c *evidence.Case) []Move {
	const before = 5.0 // seconds: what was sent to another machine may wait that long to fail
	type key struct {
		host string
		addr netip.Addr
	}
	all := map[key]*Move{}
	var order []key
	for _, e := range c.Run.Log.Events {
		if e.Kind != probe.NeighbourChange || evidence.ServesOther(c, e.Host) {
			continue
		}
		k := key{e.Host, e.Remote.Addr().Unmap()}
		m := all[k]
		if m == nil {
			m = &Move{Addr: k.addr, Seen: e.Host, Holders: []string{e.Reason}, turns: []turn{{-1e9, e.Reason}}}
			all[k] = m
			order = append(order, k)
		}
		if !slices.Contains(m.Holders, e.State) {
			m.Holders = append(m.Holders, e.State)
		}
		at := e.At.Seconds()
		m.turns = append(m.turns, turn{at, e.State})
		if at > c.At-before && at < c.To+1 {
			m.Times = append(m.Times, at)
		}
	}
	var out []Move
	mac, held := hardware(c), tenures(c)
	for _, k := range order {
		m := all[k]
		if len(m.Times) == 0 {
			continue
		}
		m.mac = mac
		m.Disputed = m.disputed(held)
		out = append(out, *m)
	}
	slices.SortStableFunc(out, func(a, b Move) int {
		switch {
		case a.Disputed == b.Disputed:
			return 0
		case a.Disputed:
			return -1
		}
		return 1
	})
	return out
}

// hardware returns which watched host has which hardware address.
func hardware(c *evidence.Case) map[string]string {
	out := map[string]string{}
	for _, e := range c.Run.Log.Events {
		if e.Kind == probe.AddressHeld {
			out[e.State] = e.Host
		}
	}
	return out
}

// disputed reports whether two have an address: a watched host lost it and never gave it up.
// Of machines that nobody watches, an address that goes and comes back may be a takeover and
// its end; one that goes once more is held by both.
func (m *Move) disputed(all map[tenure][]held) bool {
	const slack, toAndFro = 1.0, 3 // seconds, changes
	watched := false
	for i, t := range m.turns[1:] {
		held, known := holds(all[tenure{m.turns[i].holder, m.Addr}], t.from+slack)
		if watched = watched || known; held {
			return true
		}
	}
	return !watched && len(m.Holders) == 2 && len(m.turns)-1 >= toAndFro
}

// tenure is an IP address at an interface of a watched host, by its hardware address.
type tenure struct {
	hardware string
	addr     netip.Addr
}

// held is since when an interface has an address, or has it no more.
type held struct {
	from float64
	has  bool
}

// tenures returns when the interfaces of watched hosts had which addresses.
func tenures(c *evidence.Case) map[tenure][]held {
	out := map[tenure][]held{}
	for _, e := range c.Run.Log.Events {
		if e.Kind == probe.AddressHeld {
			k := tenure{e.State, e.Local.Addr().Unmap()}
			out[k] = append(out[k], held{e.At.Seconds(), e.Value == 1})
		}
	}
	return out
}

// holds reports whether an interface has an address at a time; known is false where nobody
// was seen to have it there.
func holds(all []held, at float64) (has, known bool) {
	for _, x := range all {
		if x.from < at {
			has, known = x.has, true
		}
	}
	return has, known
}

// Departure is an address that a host of the way gave up when requests began to fail.
type Departure struct {
	Addr  netip.Addr
	Host  string
	At    float64      // seconds
	Now   []netip.Addr // the addresses that it has instead
	Taken string       // who has the address since, as a neighbour saw it; empty: nobody was seen to
	Seen  string       // that neighbour
}

// Departures returns the addresses that a host gave up about the time when faults began, and
// has not had again.
func Departures(c *evidence.Case, h evidence.Hop) []Departure {
	const before = 15.0 // seconds: kept connections go on for a while, and waits take their time to fail
	var out []Departure
	now := map[string][]netip.Addr{} // by host: what it got since
	for _, e := range c.Run.Log.Events {
		if e.Kind != probe.AddressHeld || !h.Has(e.Host) || e.At.Seconds() > c.To {
			continue
		}
		addr := e.Local.Addr().Unmap()
		same := func(d Departure) bool { return d.Addr == addr && d.Host == e.Host }
		now[e.Host] = slices.DeleteFunc(now[e.Host], func(a netip.Addr) bool { return a == addr })
		if e.Value == 1 {
			out = slices.DeleteFunc(out, same)
			if e.At > 0 && e.Reason != probe.HeldBefore {
				now[e.Host] = append(now[e.Host], addr)
			}
		} else if at := e.At.Seconds(); at > max(0, c.At-before) && at < c.At+1 && !slices.ContainsFunc(out, same) {
			out = append(out, Departure{Addr: addr, Host: e.Host, At: at})
		}
	}
	names := hardware(c)
	for i := range out {
		d := &out[i]
		for _, a := range now[d.Host] {
			if a != d.Addr && a.Is4() == d.Addr.Is4() && !slices.Contains(d.Now, a) {
				d.Now = append(d.Now, a)
			}
		}
		for _, e := range c.Run.Log.Events {
			if e.Kind == probe.NeighbourChange && e.Remote.Addr().Unmap() == d.Addr && e.At.Seconds() > d.At-1 && names[e.State] != d.Host {
				d.Taken, d.Seen = e.State, e.Host
				if names[e.State] != "" {
					d.Taken = names[e.State] + " (" + e.State + ")"
				}
			}
		}
	}
	return out
}

// Text says what became of the address: "upstream gave up 10.0.0.5 at 8.1 s (it has 10.0.0.6)".
func (d Departure) Text() string {
	s := fmt.Sprintf("%s gave up %s %s into the run", d.Host, d.Addr, format.Seconds(d.At))
	if len(d.Now) > 0 {
		s += fmt.Sprintf(" and has %s instead", d.Now[0])
	}
	if d.Taken != "" {
		s += fmt.Sprintf("; %s has it since, as the neighbour table of %s says", d.Taken, d.Seen)
	}
	return s
}

// Text says who had the address, and how often it changed.
func (m Move) Text() string {
	names := make([]string, len(m.Holders))
	for i, x := range m.Holders {
		if names[i] = x; m.mac[x] != "" {
			names[i] += " (" + m.mac[x] + ")"
		}
	}
	if m.Disputed {
		return fmt.Sprintf("%s is held by %s: the neighbour table of %s changed between them %s", m.Addr, strings.Join(names, " and "), m.Seen, format.Counted(float64(len(m.Times)), "time"))
	}
	return fmt.Sprintf("%s went to another machine, from %s, as the neighbour table of %s says", m.Addr, strings.Join(names, " to "), m.Seen)
}

// Explains returns how failures go with who had the address: yes where they came while one
// had it and hardly any while another did, or began with a change; no where they were there
// before any.
func (m Move) Explains(c *evidence.Case) (is bool, text string) {
	attempts, failed := map[string]float64{}, map[string]float64{}
	for i := range c.Run.N {
		from, to := c.Run.Seconds(float64(i)), c.Run.Seconds(float64(i+1))
		if who, whole := m.holderIn(from, to); whole {
			attempts[who] += c.Target.Attempts[i]
			failed[who] += c.Target.Failed[i]
		}
	}
	worst, share, all := "", 0.0, 0.0
	for _, who := range m.Holders {
		all += failed[who]
		if x := failed[who] / max(attempts[who], 1); attempts[who] >= evidence.FewAttempts && x > share {
			worst, share = who, x
		}
	}
	if worst != "" && share >= 0.05 {
		rest, others := 0.0, 0.0
		for _, who := range m.Holders {
			if who != worst {
				rest, others = rest+failed[who], others+attempts[who]
			}
		}
		if others >= evidence.FewAttempts && rest/others <= 0.2*share {
			return true, fmt.Sprintf("; %s of requests failed while %s had it, %s else", format.Percent(share), m.named(worst), format.Percent(rest/others))
		}
	}
	if near, of := m.near(c); of > 0 && near >= 0.5*of {
		return true, fmt.Sprintf("; %s of %s failures came with a change", format.Number(near), format.Number(of))
	}
	return false, ""
}

// near counts the failures of requests that were open when the holder changed, or were begun
// shortly after it, and all that were kept. There are none where so many would be by chance,
// or failures were there before any change.
func (m Move) near(c *evidence.Case) (near, of float64) {
	const (
		slack = 0.1
		most  = 0.5 // of the time that a reach may cover
	)
	first := math.Inf(1)
	for _, x := range c.Failures {
		if x.Phase != attack.PhaseIdle && x.Fault.Failure() {
			of++
			first = min(first, x.End.Seconds())
		}
	}
	if c.Onset.Status != evidence.NoOnset {
		first = c.At
	}
	// Segments of open connections go astray at once; dials are tried again after 1 and 2 s.
	for _, reach := range []float64{0.5, 3} {
		if float64(len(m.Times))*reach > most*c.Run.Duration() || !slices.ContainsFunc(m.Times, func(t float64) bool { return first >= t-3*slack && first <= t+reach }) {
			continue
		}
		n := 0.0
		for _, x := range c.Failures {
			if x.Phase == attack.PhaseIdle || !x.Fault.Failure() {
				continue
			}
			if slices.ContainsFunc(m.Times, func(t float64) bool { return x.Start.Seconds() <= t+reach && x.End.Seconds() >= t-slack }) {
				n++
			}
		}
		near = max(near, n)
	}
	return near, of
}

func (m Move) named(hardware string) string {
	if host := m.mac[hardware]; host != "" {
		return host
	}
	return hardware
}

// holderIn returns who had the address throughout a time; whole is false where that changed.
func (m Move) holderIn(from, to float64) (who string, whole bool) {
	for _, t := range m.turns {
		if t.from <= from {
			who, whole = t.holder, true
		} else if t.from < to {
			whole = false
		}
	}
	return who, whole
}
