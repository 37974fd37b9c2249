package traffic

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// usedAgain is for how long a RST that ended no socket is taken for a further answer to
// the connection of the same addresses and ports that was reset before: what is still on
// its way to a connection that is gone draws such answers. A RST that ended a socket is of
// another connection, however soon: a client that was reset may use its port again at once.
const usedAgain = time.Second

const trace = "reset trace"

// resets counts the resets of the target's connections, each connection once: as kernels
// tell them one by one, else as they count them for the whole host.
func (t *target) resets() {
	if !t.traced() {
		t.countedResets()
		return
	}
	t.told.Traced = true
	listens := t.listening()
	last := map[[2]netip.AddrPort]time.Duration{}
	for _, e := range t.log.Events {
		if !t.has(e.Host) || !t.ports[e.Local.Port()] {
			continue
		}
		w := int(e.At / t.log.Header.Interval)
		if e.At < 0 || w >= len(t.came) {
			continue
		}
		n := max(e.Count, 1)
		switch e.Kind {
		case probe.RSTSent, probe.RSTRejected:
			pair := [2]netip.AddrPort{e.Local, e.Remote}
			before, again := last[pair]
			if again && e.At-before < usedAgain && e.Remote.Port() != 0 && !endsSocket(e) {
				continue
			}
			last[pair] = e.At
			t.failed(e, n, w, listens)
		case probe.RSTReceived:
			if e.State != "" && e.State != "TCP_SYN_SENT" {
				t.given[w] += n
				t.told.GivenUp += n
			}
		}
	}
}

// endsSocket reports whether a RST ended a socket of its own, which happens to a socket once:
// not an answer for want of a socket, or by a listener, of which one connection may draw many.
func endsSocket(e probe.Event) bool {
	switch e.State {
	case "", "TCP_LISTEN", "TCP_SYN_RECV", "TCP_NEW_SYN_RECV":
		return false
	}
	return e.Kind == probe.RSTSent && reasonOf(e) != "NO_SOCKET"
}

// reasonOf is the kernel's reason of a RST without the prefixes that some kernels give it.
func reasonOf(e probe.Event) string {
	return strings.TrimPrefix(strings.TrimPrefix(strings.ToUpper(e.Reason), "SK_RST_REASON_"), "TCP_")
}

// failed counts a RST that was sent to a client.
func (t *target) failed(e probe.Event, n uint64, w int, listens func(time.Duration) bool) {
	key := cellKey{attack.Reset, attack.PhaseAwait, t.remotes[unmapped(e.Local)]}
	reason := reasonOf(e)
	switch {
	case e.Kind == probe.RSTRejected, reason == "NO_SOCKET" && !listens(e.At):
		key.fault, key.phase = attack.Refused, attack.PhaseDial
	case reason == "INVALID_SYN", e.State == "TCP_SYN_RECV", e.State == "TCP_NEW_SYN_RECV":
		key.phase = attack.PhaseDial
	}
	if t.reset[w] == nil {
		t.reset[w] = map[cellKey]uint64{}
	}
	t.reset[w][key] += n
	if e.Remote.Port() == 0 || n > 1 {
		return // several at once
	}
	id := uint64(len(t.failures) + 1)
	t.failures = append(t.failures, attack.Failure{Attempt: attack.Attempt{
		Request: id, Target: uint16(t.index), Last: true, Due: e.At, Start: e.At, End: e.At,
		Fault: key.fault, Phase: key.phase, WireReset: key.fault == attack.Reset,
		Conn: attack.Conn{ID: id, Local: e.Remote, Remote: e.Local, RemoteIndex: key.remote},
	}})
}

// traced reports whether the kernels of the hosts told who sent resets.
func (t *target) traced() bool {
	machines := slices.Clone(t.hosts)
	for _, h := range t.log.Header.Hosts {
		if t.has(h.Name) && h.SameAs != "" {
			machines = append(machines, h.SameAs)
		}
	}
	if t.log.Trailer == nil { // it goes on
		opened := slices.ContainsFunc(t.log.Header.Hosts, func(h runlog.Host) bool { return h.Traced && slices.Contains(machines, h.Name) })
		return opened || slices.ContainsFunc(t.log.Events, func(e probe.Event) bool {
			return (e.Kind == probe.RSTSent || e.Kind == probe.RSTReceived) && t.has(e.Host)
		})
	}
	return slices.ContainsFunc(t.log.Trailer.Sources, func(s probe.Status) bool {
		return strings.HasPrefix(s.Source.Name, trace) && s.State != probe.NotMeasured && slices.Contains(machines, s.Source.Host)
	})
}

// countedResets takes what the hosts count as aborted connections (EstabResets): of all
// services and clients of a host, whoever sent the reset.
func (t *target) countedResets() {
	counted := make([]float64, len(t.came))
	for _, s := range t.log.Series {
		if s.Metric.Name == probe.EstabResets && s.Metric.Process == "" && t.has(s.Metric.Host) {
			t.spread(s, counted)
			t.told.HostWide = true
		}
	}
	var whole rounding
	for w, v := range counted {
		if n := whole.next(v); n > 0 {
			t.reset[w] = map[cellKey]uint64{{attack.Reset, attack.PhaseAwait, 0}: n}
		}
	}
}

// listening returns whether somebody listened for the target's connections at a time; of
// times at which nobody looked, that somebody did.
func (t *target) listening() func(time.Duration) bool {
	type look struct{ all, own *runlog.Series }
	looks := map[string]*look{}
	for i, s := range t.log.Series {
		if s.Metric.Name != probe.Inbound || !t.has(s.Metric.Host) {
			continue
		}
		l := looks[s.Metric.Host]
		if l == nil {
			l = &look{}
			looks[s.Metric.Host] = l
		}
		switch {
		case s.Metric.Instance == "":
			l.all = &t.log.Series[i]
		case t.serves(s.Metric.Instance):
			l.own = &t.log.Series[i]
		}
	}
	return func(at time.Duration) bool {
		for _, l := range looks {
			if l.all == nil {
				return true
			}
			looked := latest(l.all, at)
			if looked == math.MinInt64 {
				return true
			}
			if l.own != nil && latest(l.own, at) >= looked-10*time.Millisecond {
				return true
			}
		}
		return len(looks) == 0
	}
}

// latest is when a series was read last up to a time; the smallest time for never.
func latest(s *runlog.Series, at time.Duration) time.Duration {
	i, found := slices.BinarySearch(s.At, at)
	if found {
		return at
	}
	if i == 0 {
		return math.MinInt64
	}
	return s.At[i-1]
}

func portText(p uint16) string { return strconv.Itoa(int(p)) }
