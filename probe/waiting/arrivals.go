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
//   - A connection that came and went between two readings is one request. How many did
//     is known for the namespace alone (PassiveOpens less the connections that were seen
//     to be new); they are divided among its services as their new connections are.
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
type heard struct{ in, round uint32 }

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
	case !known:
		s.fresh++
		s.arrived += float64(c.info.in)
	case c.info.in < before.in: // another one, from the same port
		s.fresh++
		s.arrived += float64(c.info.in)
	default:
		s.arrived += float64(c.info.in - before.in)
	}
	if known || len(a.known) < maxFlows {
		a.known[key] = heard{c.info.in, a.round}
	}
}

// settle ends a reading. opens is how many connections have come in to the namespace
// since it was made, NaN where that is not told.
func (t *tally) settle(opens float64) {
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
	if came := opens - a.opens; a.round > 0 && came > 0 { // false for NaN
		a.owed += came - fresh
	}
	a.opens = opens
	a.round++
	if a.owed <= 0 {
		a.owed = max(a.owed, -1) // a connection that is counted before the counter is read
		return
	}
	if all == 0 {
		// None was ever seen: whoever has connections, or listens, all alike.
		var takes []*service
		for _, busy := range []bool{true, false} {
			for _, s := range t.services {
				if s.open && s.seen == busy {
					takes = append(takes, s)
				}
			}
			if len(takes) > 0 {
				break
			}
		}
		for _, s := range takes {
			s.arrived += a.owed / float64(len(takes))
		}
		if len(takes) > 0 {
			a.owed = 0
		}
		return
	}
	for _, s := range t.services {
		s.arrived += a.owed * s.freshAll / all
	}
	a.owed = 0
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
