package waiting

import (
	"bytes"
	"math"
	"net/netip"
	"strconv"
)

// arrivals estimates how many requests came in to the services of a namespace, from what
// two readings of the sockets differ in:
//
//   - On a connection that is there, each segment of data that came in is a request. One
//     that takes several segments, as a long body does, counts as several.
//   - A connection that came and went between two readings had as many as others of its
//     service (see perConnection). How many did is known for the namespace alone
//     (PassiveOpens less the connections that were seen to be new); they are divided among
//     its services as their new connections are.
//   - One that is gone had what is missing to that number.
//
// What was there at the first reading is where counting begins.
type arrivals struct {
	known map[flow]heard
	round uint32
	opens float64 // PassiveOpens of the last reading; NaN: not known
	owed  float64 // connections that nobody was seen to have taken yet
}

// flow is a connection as a service sees it.
type flow struct{ local, remote netip.AddrPort }

// heard is what was known of a connection when it was seen last.
type heard struct {
	in, round uint32
	by        *service
}

// maxFlows bounds the connections that are told apart.
const maxFlows = 1 << 17

// count takes a connection of this reading to a service.
func (a *arrivals) count(s *service, c conn) {
	if a.known == nil {
		a.known = map[flow]heard{}
	}
	key := flow{c.local, c.remote}
	before, known := a.known[key]
	switch {
	case a.round == 0:
	case !known, c.info.in < before.in: // another one from the same port
		s.fresh++
		s.youngIn, s.young = s.youngIn+float64(c.info.in), s.young+1
		s.arrived += float64(c.info.in)
	default:
		s.arrived += float64(c.info.in - before.in)
	}
	if known || len(a.known) < maxFlows {
		a.known[key] = heard{c.info.in, a.round, s}
	}
}

// perConnection is how many requests a connection of a service has until it ends, as far
// as that is less than one reading sees: a connection is met in its middle, on average.
func (s *service) perConnection() float64 {
	if s.young == 0 {
		return 1
	}
	return max(1, 2*s.youngIn/s.young-1)
}

// fades is what each reading leaves of what is known of connections that came in before.
const fades = 0.9

// settle ends a reading. opens is how many connections have come in to the namespace
// since it was made, NaN where that is not told.
func (t *tally) settle(opens float64) {
	a := &t.arrivals
	for key, h := range a.known {
		if h.round == a.round {
			continue
		}
		h.by.arrived += max(0, h.by.perConnection()-float64(h.in))
		delete(a.known, key)
	}
	fresh, all := 0.0, 0.0
	for _, s := range t.services {
		s.freshAll += s.fresh
		fresh += s.fresh
		all += s.freshAll
	}
	if came := opens - a.opens; a.round > 0 && came > 0 { // false for NaN
		a.owed += came - fresh
	}
	a.opens = opens
	a.round++
	if a.owed > 0 {
		t.divide(all)
	}
	a.owed = max(a.owed, -1) // a connection that is seen before the counter is read
	for _, s := range t.services {
		s.young, s.youngIn = fades*s.young, fades*s.youngIn
	}
}

// divide gives the connections that nobody was seen to have taken to services: as their
// new connections are, all of which there were so many; where none was ever seen, to whoever
// has connections, else to whoever listens, all alike.
func (t *tally) divide(all float64) {
	a := &t.arrivals
	if all > 0 {
		for _, s := range t.services {
			s.arrived += a.owed * s.freshAll / all * s.perConnection()
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

// readOpens returns PassiveOpens of net/snmp, NaN where it is not there.
func readOpens(b []byte) float64 {
	names, ok := tcpLine(&b)
	if !ok {
		return math.NaN()
	}
	values, ok := tcpLine(&b)
	if !ok {
		return math.NaN()
	}
	for {
		name, restNames, more := bytes.Cut(names, []byte(" "))
		value, restValues, also := bytes.Cut(values, []byte(" "))
		if string(name) == "PassiveOpens" {
			n, err := strconv.ParseUint(string(value), 10, 64)
			if err != nil {
				return math.NaN()
			}
			return float64(n)
		}
		if !more || !also {
			return math.NaN()
		}
		names, values = restNames, restValues
	}
}

// tcpLine returns the next line that begins with "Tcp: ", without that.
func tcpLine(b *[]byte) ([]byte, bool) {
	for len(*b) > 0 {
		line, rest, _ := bytes.Cut(*b, []byte("\n"))
		*b = rest
		if text, is := bytes.CutPrefix(line, []byte("Tcp: ")); is {
			return text, true
		}
	}
	return nil, false
}
