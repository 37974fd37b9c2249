package replies

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/rampload/rampload/probe"
)

// message is a question to a name server, or the answer to one.
type message struct {
	id     uint16
	name   string
	kind   uint16 // of what is asked for (RFC 1035 3.2.2)
	answer bool
	code   byte // of an answer (RFC 1035 4.1.1); 0: no error
}

// readMessage reads a message of DNS. ok is false for all that asks no single question.
func readMessage(data []byte) (m message, ok bool) {
	const head, opcode = 12, 0x78
	if len(data) < head+2 || data[2]&opcode != 0 || binary.BigEndian.Uint16(data[4:]) != 1 {
		return message{}, false
	}
	var name []string
	b := data[head:]
	for ; len(b) > 0 && b[0] != 0 && b[0] < 64 && len(b) > int(b[0]); b = b[1+b[0]:] {
		name = append(name, string(b[1:1+b[0]]))
	}
	kind := uint16(0)
	if len(b) >= 3 && b[0] == 0 {
		kind = binary.BigEndian.Uint16(b[1:])
	}
	return message{
		id: binary.BigEndian.Uint16(data), name: strings.Join(name, "."), kind: kind,
		answer: data[2]&0x80 != 0, code: data[3] & 15,
	}, len(name) > 0
}

// addressIPv6 is the kind of questions for addresses of IPv6 (RFC 3596).
const addressIPv6 = 28

// ReadDNS reads an answer to a look-up that says that there is none. ok is false for all
// others, and for "no such host" to a question for an IPv6 address: the IPv4 address is asked
// for beside it, and some servers answer so where a name has that one alone.
func ReadDNS(data []byte) (r Reply, ok bool) {
	m, ok := readMessage(data)
	if !ok {
		return Reply{}, false
	}
	return m.reply()
}

// reply reads a message as ReadDNS does.
func (m message) reply() (r Reply, ok bool) {
	said := ""
	switch {
	case !m.answer:
	case m.code == 2:
		said = "server failure"
	case m.code == 3 && m.kind != addressIPv6:
		said = "no such host"
	case m.code == 5:
		said = "query refused"
	}
	if said == "" {
		return Reply{}, false
	}
	return Reply{Protocol: "dns", Text: clean("lookup " + m.name + ": " + said)}, true
}

// lookupPatience is how long a look-up may be without an answer before that is told. No
// resolver asks again, or another server, before a second is over.
const lookupPatience = time.Second

// maxLookups bounds how many look-ups without an answer are followed at once.
const maxLookups = 4096

// lookup is one question of one client. Resolvers that ask several servers, at once or one
// after the other, give all of these questions one number.
type lookup struct {
	client netip.Addr
	id     uint16
	name   string // in lower case: servers may answer in another
}

// lookups follows questions to name servers until one of these answers: a server that says
// nothing holds up whoever asks it, and shows in no connection.
type lookups struct {
	open map[lookup]seen // the first question of each
	lost uint64          // questions that there was no room for
	gaps gaps            // packets that were not read
}

// take takes a question, or an answer, of a client that local says is of this host.
func (l *lookups) take(s seen, local func(netip.Addr) bool) {
	if s.message.answer {
		delete(l.open, lookup{s.to.Addr(), s.message.id, strings.ToLower(s.message.name)})
		return
	}
	k := lookup{s.from.Addr(), s.message.id, strings.ToLower(s.message.name)}
	if _, known := l.open[k]; known || !local(s.from.Addr()) {
		return
	}
	if len(l.open) >= maxLookups {
		l.lost++
		return
	}
	l.open[k] = s
}

// overdue hands on, as replies of their servers, the look-ups that had no answer for too
// long, and follows them no more.
func (l *lookups) overdue(now time.Duration, tell func(seen)) {
	for k, s := range l.open {
		if now-s.at < lookupPatience {
			continue
		}
		delete(l.open, k)
		tell(seen{from: s.to, to: s.from, at: s.at, reply: Reply{
			Protocol: "dns", Text: clean("lookup " + s.message.name + ": no answer from the name server in 1 s"),
		}})
	}
}

// forget follows what was asked no more: packets were lost here, and answers may be among
// them.
func (l *lookups) forget(packets int, now time.Duration) {
	clear(l.open)
	l.gaps.add(packets, now)
}

// missing says what was not followed.
func (l *lookups) missing() (out []*probe.Unsupported) {
	if l.lost > 0 {
		out = append(out, &probe.Unsupported{What: sourceName, Reason: fmt.Sprintf("%d look-ups were not followed: more than %d had no answer at once", l.lost, maxLookups)})
	}
	if l.gaps.packets > 0 {
		out = append(out, &probe.Unsupported{What: sourceName, Reason: l.gaps.text("packets of name servers") + ": look-ups that were open then were not followed"})
	}
	return out
}
