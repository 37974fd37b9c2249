package waiting

import (
	"bytes"
	"math"
	"net/netip"
	"strconv"
	"time"
)

// arrivals estimates how many requests came in to the services of a namespace, from what
// two readings of the sockets differ in:
//
//   - On a connection that is there, each segment of data that came in is a request. One
//     that takes several segments, as a long body does, counts as several.
//   - What came in on connections that were gone, or not there yet, when somebody looked
//     is the bytes that came in to the namespace less those of connections that are there.
//     It is as many requests as so many bytes are elsewhere, and divided as the bytes of new
//     connections are that were seen. At least each such connection is one (PassiveOpens
//     less those that were seen to be new).
//
// What was there at the first reading is where counting begins.
type arrivals struct {
	known map[flow]heard
	round uint32
	last  came
	owed  float64 // connections that nobody was seen to have taken yet
	out   float64 // bytes that came in on connections that this end made
	seen  float64 // bytes of this reading, of all connections

	freshOut float64 // of out, those of connections that were seen for the first time
	ahead    float64 // bytes that were seen before the kernel's total had them: 0 or below
}

// came is what has come in to a namespace since it was made; NaN where it is not told.
type came struct {
	opens float64 // connections (PassiveOpens)
	bytes float64 // of data in TCP segments, about: without IP and TCP headers
}

// flow is a connection as a service sees it.
type flow struct{ local, remote netip.AddrPort }

// heard is what was known of a connection when it was seen last.
type heard struct {
	in, out, round uint32
	bytes          uint64
	pieces         uint32        // readings in which more came in, since this end sent last
	since          time.Duration // since data came in
	longest        time.Duration // between two pieces, at least
}

// comes reports whether a request still comes in on a connection: it came in several
// pieces, which were read and not answered, and the next one is not overdue.
func (h *heard) comes(c conn) bool {
	return h.pieces >= 2 && !c.unread() && c.info.received <= 2*h.longest+2*time.Second
}

// next returns what is known of a connection after one more reading.
func (h heard) next(c conn, round uint32) heard {
	now := heard{in: c.info.in, out: c.info.out, round: round, bytes: c.info.bytesIn, since: c.info.received}
	if now.out != h.out {
		return now
	}
	now.pieces, now.longest = h.pieces, h.longest
	if now.in != h.in {
		now.pieces++
		now.longest = max(now.longest, h.since)
	}
	return now
}

// answers returns how many answers came since the reading before: of what came in pieces one for
// each segment that was sent, and where none was sent the first piece alone.
func (h heard) answers(c conn) float64 {
	came, sent := c.info.in-h.in, c.info.out-min(h.out, c.info.out)
	switch {
	case sent > 0:
		return float64(min(came, sent))
	case came > 0 && h.pieces == 0:
		return 1
	}
	return 0
}

// maxFlows bounds the connections that are told apart.
const maxFlows = 1 << 17

// count takes a connection of this reading to a service, or one that this end made to a
// peer; both are nil for one that nobody holds.
func (a *arrivals) count(s *service, p *peer, c conn) {
	if a.known == nil {
		a.known = map[flow]heard{}
	}
	key := flow{c.local, c.remote}
	before, known := a.known[key]
	fresh := !known || c.info.in < before.in || c.info.bytesIn < before.bytes // another one from the same port
	if !known && len(a.known) >= maxFlows {
		return // what it had brought before would be counted at each reading
	}
	if known || len(a.known) < maxFlows {
		now := heard{in: c.info.in, out: c.info.out, round: a.round, bytes: c.info.bytesIn, since: c.info.received}
		if !fresh {
			now = before.next(c, a.round)
		}
		a.known[key] = now
		if s != nil && now.comes(c) {
			s.coming = append(s.coming, c.inode)
		}
	}
	switch {
	case a.round == 0:
		return
	case fresh:
		before = heard{}
	}
	requests, bytes := float64(c.info.in-before.in), float64(c.info.bytesIn-before.bytes)
	a.seen += bytes
	if s == nil {
		if a.out += bytes; fresh {
			a.freshOut += bytes
		}
		if p != nil {
			p.asked += float64(c.info.out - min(before.out, c.info.out))
			if !fresh { // what comes first may be a greeting
				p.answered += before.answers(c)
			}
		}
		return
	}
	if fresh {
		s.fresh++
		s.freshBytes += bytes
	}
	s.arrived += requests
	s.segments, s.bytes = s.segments+requests, s.bytes+bytes
}

// settle ends a reading, by what has come in to the namespace.
func (t *tally) settle(now came) {
	a := &t.arrivals
	for key, h := range a.known {
		if h.round != a.round {
			delete(a.known, key)
		}
	}
	fresh, all := 0.0, 0.0
	for _, s := range t.services {
		s.freshAll += s.fresh
		fresh += s.fresh
		all += s.freshAll
	}
	missed := 0.0 // requests that are known by their bytes
	if a.round > 0 {
		missed = t.unseen(a.balance(now.bytes - a.last.bytes - a.seen))
		if opened := now.opens - a.last.opens; opened > 0 { // false for NaN
			a.owed += opened - fresh
		}
	}
	a.last, a.seen = now, 0
	a.round++
	if a.owed -= missed; a.owed > 0 {
		t.divide(all)
	}
	a.owed = max(a.owed, -1) // a connection that is seen before the counter is read
}

// balance returns the bytes that came in unseen. Total and connections are not read at one
// moment: of a busy host one is ahead of the other at one reading and behind at the next,
// and what was seen too early is taken off what is missed later.
func (a *arrivals) balance(missed float64) float64 {
	if math.IsNaN(missed) {
		return 0
	}
	missed += a.ahead
	a.ahead = max(min(missed, 0), -a.seen)
	return max(missed, 0)
}

// unseen adds the requests that bytes stand for which came in on no connection that was
// seen, and returns how many they are. Such connections are new, so they are divided as the
// new ones are that were seen; where none was, as all are.
func (t *tally) unseen(bytes float64) float64 {
	part := func(s *service) float64 { return s.freshBytes }
	seen := t.arrivals.freshOut
	for _, s := range t.services {
		seen += s.freshBytes
	}
	if seen == 0 {
		part, seen = func(s *service) float64 { return s.bytes }, t.arrivals.out
		for _, s := range t.services {
			seen += s.bytes
		}
	}
	if bytes == 0 || seen == 0 {
		return 0
	}
	sum := 0.0
	for _, s := range t.services {
		if s.bytes > 0 {
			n := bytes * part(s) / seen * s.segments / s.bytes
			s.arrived += n
			sum += n
		}
	}
	return sum
}

// divide gives the connections that nobody was seen to have taken to services: as their
// new connections are, all of which there were so many; where none was ever seen, to whoever
// has connections, else to whoever listens, all alike.
func (t *tally) divide(all float64) {
	a := &t.arrivals
	if all > 0 {
		for _, s := range t.services {
			s.arrived += a.owed * s.freshAll / all
		}
		a.owed = 0
		return
	}
	for _, busy := range []bool{true, false} {
		var takes []*service
		for _, s := range t.services {
			if s.open && s.seen == busy {
				takes = append(takes, s)
			}
		}
		for _, s := range takes {
			s.arrived += a.owed / float64(len(takes))
		}
		if len(takes) > 0 {
			a.owed = 0
			return
		}
	}
}

// The sizes of headers that a segment of Linux has: IP without options, and TCP with its
// timestamps.
const (
	headers4 = 20 + 32
	headers6 = 40 + 32
)

// readCame reads what has come in from net/snmp, net/netstat and net/snmp6. Packets of
// both families are counted by bytes and number; what is no TCP counts as if it were.
func readCame(snmp, netstat, snmp6 []byte) came {
	out := came{opens: field(snmp, "Tcp: ", "PassiveOpens")}
	out.bytes = field(netstat, "IpExt: ", "InOctets") - headers4*field(snmp, "Ip: ", "InReceives")
	if octets, packets := line6(snmp6, "Ip6InOctets"), line6(snmp6, "Ip6InReceives"); octets > 0 && packets > 0 {
		out.bytes += octets - headers6*packets
	}
	return out
}

// line6 returns a value of net/snmp6, NaN where it is not there.
func line6(b []byte, name string) float64 {
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, []byte("\n"))
		b = rest
		if value, is := bytes.CutPrefix(line, []byte(name)); is && len(value) > 0 && (value[0] == ' ' || value[0] == '\t') {
			return number(bytes.TrimSpace(value))
		}
	}
	return math.NaN()
}

func number(b []byte) float64 {
	n, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil {
		return math.NaN()
	}
	return float64(n)
}

// field returns a value of net/snmp or net/netstat, whose lines come in pairs: names, and
// values in their order. It is NaN where it is not there.
func field(b []byte, group, name string) float64 {
	names, ok := nextLine(&b, group)
	values, also := nextLine(&b, group)
	for ok && also {
		n, restNames, more := bytes.Cut(names, []byte(" "))
		v, restValues, moreValues := bytes.Cut(values, []byte(" "))
		if string(n) == name {
			return number(v)
		}
		ok, also, names, values = more, moreValues, restNames, restValues
	}
	return math.NaN()
}

// nextLine returns the next line of a group, without its name.
func nextLine(b *[]byte, group string) ([]byte, bool) {
	for len(*b) > 0 {
		line, rest, _ := bytes.Cut(*b, []byte("\n"))
		*b = rest
		if text, is := bytes.CutPrefix(line, []byte(group)); is {
			return text, true
		}
	}
	return nil, false
}
