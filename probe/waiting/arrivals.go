package waiting

import (
	"bytes"
	"math"
	"net/netip"
	"strconv"
	"time"
)

// arrivals estimates how many requests came in to the services of a namespace, from the difference
// between two readings of the sockets:
//
//   - On a connection that is seen, each segment of data that came in is a request. A request of
//     several segments, such as one with a long body, counts as several.
//   - Connections that opened and closed between two readings are not seen. Their bytes are those
//     that came in to the namespace less those of the connections seen. They are turned into
//     requests at the bytes a request of the connections seen, and divided among services as the
//     bytes of new connections are. Each unseen connection is at least one request (PassiveOpens
//     less the new connections seen).
//
// Counting begins at the first reading.
type arrivals struct {
	known map[flow]heard
	round uint32
	last  came
	owed  float64 // connections opened that were not attributed to a service yet
	out   float64 // bytes that came in on connections that this end opened
	seen  float64 // bytes of all connections in this reading

	freshOut float64 // of out, those of connections seen for the first time
	ahead    float64 // bytes seen on connections before the kernel's total had them, as a negative number
}

// came is what has come in to a namespace since it was made; NaN where the kernel does not tell.
type came struct {
	opens float64 // connections (PassiveOpens)
	bytes float64 // about, of data in TCP segments, without IP and TCP headers
}

// flow is a connection as a service sees it.
type flow struct{ local, remote netip.AddrPort }

// heard is what is known of a connection from the last reading.
type heard struct {
	in, out, round uint32
	bytes          uint64
	pieces         uint32        // readings that found more data in, since this end last sent
	since          time.Duration // age of the last data that came in
	longest        time.Duration // lower bound of the longest time between two pieces
	// asked and owing are the latest times at which this end began to wait for an answer, and the
	// other end for an answer of this one; zero: it does not wait.
	asked, owing time.Time
}

// comes reports whether a request is still coming in on a connection: several pieces of it were read
// and not answered, and the next piece is not overdue.
func (h *heard) comes(c conn) bool {
	return h.pieces >= 2 && !c.unread() && c.info.received <= 2*h.longest+2*time.Second
}

// next returns what is known of a connection after another reading.
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

// stand notes since when both ends wait. On a connection with several requests at once the
// last one may just have been sent while none was answered for long: as long as nothing
// comes, it is the first one that counts.
func (h heard) stand(before heard, c conn, at time.Time) heard {
	if age, asks := c.asks(); asks {
		h.asked = at.Add(-age)
		if !before.asked.IsZero() && before.in == c.info.in && before.asked.Before(h.asked) {
			h.asked = before.asked
		}
	}
	if age, owes := c.owes(); owes {
		h.owing = at.Add(-age)
		if !before.owing.IsZero() && before.out == c.info.out && before.owing.Before(h.owing) {
			h.owing = before.owing
		}
	}
	return h
}

// stood returns for how long a connection has waited for an answer of the other end, and of
// this one, as far as earlier readings tell; 0: not at all.
func (a *arrivals) stood(c conn, at time.Time) (asked, owing time.Duration) {
	h, known := a.known[flow{c.local, c.remote}]
	if !known || c.info.in < h.in || c.info.bytesIn < h.bytes {
		return 0, 0
	}
	now := heard{}.stand(h, c, at)
	if !now.asked.IsZero() {
		asked = at.Sub(now.asked)
	}
	if !now.owing.IsZero() {
		owing = at.Sub(now.owing)
	}
	return asked, owing
}

// answers returns how many answers came since the reading before. Of data in several pieces it counts
// one for each segment that this end sent, and only the first piece where it sent none.
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

// maxFlows is how many connections are followed one by one.
const maxFlows = 1 << 17

// count adds a connection of this reading: one to a service, or one that this end opened to a peer.
// Both are nil for a connection that no process holds. at is the time of the reading.
func (a *arrivals) count(s *service, p *peer, c conn, at time.Time) {
	if a.known == nil {
		a.known = map[flow]heard{}
	}
	key := flow{c.local, c.remote}
	before, known := a.known[key]
	fresh := !known || c.info.in < before.in || c.info.bytesIn < before.bytes // counters went back: another connection from the same port
	if !known && len(a.known) >= maxFlows {
		return // without a place to remember it, its earlier data would be counted again at each reading
	}
	if known || len(a.known) < maxFlows {
		now := heard{in: c.info.in, out: c.info.out, round: a.round, bytes: c.info.bytesIn, since: c.info.received}
		if fresh {
			now = now.stand(heard{}, c, at)
		} else {
			now = before.next(c, a.round).stand(before, c, at)
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
			if !fresh { // the first data may be a greeting of the server
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

// settle ends a reading with the totals of the namespace.
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
	missed := 0.0 // requests on unseen connections, by their bytes
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
	a.owed = max(a.owed, -1) // one connection may be seen before the counter has it
}

// balance returns the bytes that came in on unseen connections. The total and the connections are not
// read at one moment, so on a busy host one is ahead of the other now and behind at the next reading.
// Bytes seen too early are taken off the bytes that are missing later.
func (a *arrivals) balance(missed float64) float64 {
	if math.IsNaN(missed) {
		return 0
	}
	missed += a.ahead
	a.ahead = max(min(missed, 0), -a.seen)
	return max(missed, 0)
}

// unseen adds the requests of unseen connections to services, by their bytes, and returns how many they
// are. Unseen connections are new, so they are divided among services as the new connections seen are;
// where none was, as all connections are.
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

// divide divides connections that were not seen among services, as their new connections are. all is
// the number of those. Where no new one was ever seen, the services with connections get equal parts,
// else all that listen.
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

// Sizes of the headers of a segment as Linux sends it: IP without options, TCP with timestamps.
const (
	headers4 = 20 + 32
	headers6 = 40 + 32
)

// readCame reads what has come in from net/snmp, net/netstat and net/snmp6: bytes and packets of IPv4
// and IPv6. Packets of other protocols count as TCP.
func readCame(snmp, netstat, snmp6 []byte) came {
	out := came{opens: field(snmp, "Tcp: ", "PassiveOpens")}
	out.bytes = field(netstat, "IpExt: ", "InOctets") - headers4*field(snmp, "Ip: ", "InReceives")
	if octets, packets := line6(snmp6, "Ip6InOctets"), line6(snmp6, "Ip6InReceives"); octets > 0 && packets > 0 {
		out.bytes += octets - headers6*packets
	}
	return out
}

// line6 returns a value of net/snmp6; NaN where it is missing.
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

// field returns a value of net/snmp or net/netstat; NaN where it is missing. The lines of these files
// come in pairs: names, then values in the same order.
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
