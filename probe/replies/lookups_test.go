package replies

import (
	"net/netip"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
)

// dnsMessage is a question for the address of a.b, or an answer to it.
func dnsMessage(id uint16, answer bool, code byte) []byte {
	flags := byte(0x01)
	if answer {
		flags |= 0x80
	}
	return append([]byte{byte(id >> 8), byte(id), flags, code, 0, 1, 0, 0, 0, 0, 0, 0}, "\x01a\x01b\x00\x00\x01\x00\x01"...)
}

// TestLookups: what no server answered is told once, with the first one asked, and only by
// the host that asked.
func TestLookups(t *testing.T) {
	own, passing := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.7")
	first, second := netip.MustParseAddrPort("10.0.0.53:53"), netip.MustParseAddrPort("10.0.0.54:53")
	local := func(a netip.Addr) bool { return a == own }
	type packet struct {
		at     time.Duration
		client netip.Addr
		server netip.AddrPort
		id     uint16
		answer bool
	}
	for _, test := range []struct {
		name    string
		packets []packet
		lost    time.Duration // packets are, then
		want    int
	}{
		{"answered", []packet{{0, own, first, 1, false}, {10 * time.Millisecond, own, first, 1, true}}, 0, 0},
		{"no answer", []packet{{0, own, first, 1, false}}, 0, 1},
		{"the second server, asked later, answers", []packet{{0, own, first, 1, false}, {2 * time.Second, own, second, 1, false}, {2001 * time.Millisecond, own, second, 1, true}}, 0, 1},
		{"the second server, asked at once, answers", []packet{{0, own, first, 1, false}, {0, own, second, 1, false}, {time.Millisecond, own, second, 1, true}}, 0, 0},
		{"the same question again", []packet{{0, own, first, 1, false}, {900 * time.Millisecond, own, first, 1, false}}, 0, 1},
		{"of somebody else", []packet{{0, passing, first, 1, false}}, 0, 0},
		{"an answer may be lost here", []packet{{0, own, first, 1, false}}, 500 * time.Millisecond, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := &lookups{open: map[lookup]seen{}}
			var told []seen
			for now := time.Duration(0); now < 5*time.Second; now += time.Millisecond {
				for _, p := range test.packets {
					if p.at != now {
						continue
					}
					m, ok := readMessage(dnsMessage(p.id, p.answer, 0))
					if !ok {
						t.Fatal("cannot read a message")
					}
					s := seen{from: netip.AddrPortFrom(p.client, 40000), to: p.server, message: m, at: now}
					if p.answer {
						s.from, s.to = s.to, s.from
					}
					l.take(s, local)
				}
				if test.lost > 0 && test.lost == now {
					l.forget(1, 0)
				}
				l.overdue(now, func(s seen) { told = append(told, s) })
			}
			if len(told) != test.want || len(l.open) != 0 {
				t.Fatalf("told %d, want %d; %d are still followed", len(told), test.want, len(l.open))
			}
			for _, s := range told {
				if s.from != first || s.to.Addr() != own || s.at != 0 || s.reply.Text != "lookup a.b: no answer from the name server in 1 s" {
					t.Errorf("told %v", s)
				}
			}
		})
	}
}

// TestNoSuchHost: that a name has no address of IPv6 is no failure, whatever the code.
func TestNoSuchHost(t *testing.T) {
	for kind, want := range map[byte]bool{1: true, 28: false} {
		data := dnsMessage(1, true, 3)
		data[len(data)-3] = kind
		if r, ok := ReadDNS(data); ok != want {
			t.Errorf("kind %d: told %v %q", kind, ok, r.Text)
		}
	}
}

// TestNamesInAnyCase: an answer may have the name in another case than the question.
func TestNamesInAnyCase(t *testing.T) {
	l := &lookups{open: map[lookup]seen{}}
	client, server := netip.MustParseAddrPort("10.0.0.2:40000"), netip.MustParseAddrPort("10.0.0.53:53")
	anybody := func(netip.Addr) bool { return true }
	l.take(seen{from: client, to: server, message: message{id: 1, name: "Shop.internal"}}, anybody)
	l.take(seen{from: server, to: client, message: message{id: 1, name: "shop.internal", answer: true}}, anybody)
	if len(l.open) != 0 {
		t.Error("an answer was not found to be one")
	}
}

// TestLookupsAreBounded: a flood of questions takes no more than its room.
func TestLookupsAreBounded(t *testing.T) {
	l := &lookups{open: map[lookup]seen{}}
	for id := range uint16(2 * maxLookups) {
		l.take(seen{from: netip.MustParseAddrPort("10.0.0.2:40000"), to: netip.MustParseAddrPort("10.0.0.53:53"), message: message{id: id, name: "a"}}, func(netip.Addr) bool { return true })
	}
	if len(l.open) != maxLookups || l.lost != maxLookups {
		t.Errorf("%d are followed, %d are not", len(l.open), l.lost)
	}
}

// TestLateIsTheAskers: a host whose servers' replies are told by others tells none.
func TestLateIsTheAskers(t *testing.T) {
	for _, sentOnly := range []bool{false, true} {
		f := &folder{kinds: map[kind]*tally{}, opts: Options{Host: "api", SentOnly: sentOnly, Local: func(netip.Addr) bool { return false }, Watched: func(netip.Addr) bool { return true }}}
		var told []probe.Event
		f.late(seen{from: netip.MustParseAddrPort("10.0.0.53:53"), reply: Reply{Protocol: "dns", Text: "lookup a: no answer"}}, func(e probe.Event) { told = append(told, e) })
		if want := !sentOnly; (len(told) == 1) != want {
			t.Errorf("sent only %v: told %d", sentOnly, len(told))
		}
	}
}
