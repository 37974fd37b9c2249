package replies

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
)

// frame is a frame of HTTP/2 with a body.
func frame(kind, flags byte, id uint32, body ...byte) []byte {
	b := []byte{0, byte(len(body) >> 8), byte(len(body)), kind, flags}
	return append(binary.BigEndian.AppendUint32(b, id), body...)
}

// TestStreams follows what is open on a connection, and what is answered meanwhile.
func TestStreams(t *testing.T) {
	client, server := netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.2:9000")
	o := Options{Host: "calc", Local: func(a netip.Addr) bool { return a == server.Addr() }, Watched: func(netip.Addr) bool { return true }}
	limit := frame(frameSettings, 0, 0, 0, settingLimit, 0, 0, 0, 64)
	for _, test := range []struct {
		name            string
		packets         func(ask, answer func(...[]byte))
		open            uint64
		oldest          float64
		answered, limit int
		untold          bool
		high            bool // the server's port
		cut             bool // packets of more than 900 bytes were not taken whole
	}{
		{
			name: "two of three are answered, and the oldest is not",
			packets: func(ask, answer func(...[]byte)) {
				ask([]byte(preface), frame(frameSettings, 0, 0), frame(frameHeaders, 5, 1, 1, 2, 3))
				answer(limit)
				ask(frame(frameHeaders, 5, 3, 1), frame(frameHeaders, 5, 5, 1))
				answer(frame(frameHeaders, 4, 3, 9), frame(0, 1, 3, 'o', 'k'), frame(frameHeaders, 4, 5, 9), frame(0, 1, 5))
			},
			open: 1, oldest: 2, answered: 2, limit: 64,
		},
		{
			name: "one is given up: it is open no more, and was not answered",
			packets: func(ask, answer func(...[]byte)) {
				ask([]byte(preface), frame(frameHeaders, 5, 1, 1), frame(frameHeaders, 5, 3, 1))
				ask(frame(frameReset, 0, 1, 0, 0, 0, 8))
			},
			open: 1, oldest: 2,
		},
		{
			name: "the server goes away, and answers the first yet",
			packets: func(ask, answer func(...[]byte)) {
				ask([]byte(preface), frame(frameHeaders, 5, 1, 1), frame(frameHeaders, 5, 3, 1), frame(frameHeaders, 5, 5, 1))
				answer(frame(frameGoAway, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0))
			},
			open: 1, oldest: 2,
		},
		{
			name: "trailers are no second answer",
			packets: func(ask, answer func(...[]byte)) {
				ask([]byte(preface), frame(frameHeaders, 5, 1, 1))
				answer(frame(frameHeaders, 4, 1, 9))
				answer(frame(frameHeaders, 5, 1, 9))
			},
			answered: 1,
		},
		{
			name: "it was there before, and behaves as HTTP/2",
			packets: func(ask, answer func(...[]byte)) {
				for id := uint32(101); id < 107; id += 2 {
					ask(frame(frameHeaders, 5, id, 1))
					answer(frame(frameHeaders, 5, id, 9))
				}
				ask(frame(frameHeaders, 5, 107, 1))
			},
			open: 1, oldest: 2, answered: 3,
		},
		{
			name: "it was there before, and its server listens at a higher port than the client has",
			packets: func(ask, answer func(...[]byte)) {
				for id := uint32(101); id < 109; id += 2 {
					ask(frame(frameHeaders, 5, id, 1))
					answer(frame(frameHeaders, 5, id, 9))
				}
				ask(frame(frameHeaders, 5, 109, 1))
			},
			open: 1, oldest: 2, answered: 3, high: true, // the first only tells who asks
		},
		{
			name:    "something else begins so once",
			packets: func(ask, _ func(...[]byte)) { ask(frame(frameHeaders, 5, 1, 1)) },
			untold:  true,
		},
		{
			name: "most of it is not seen",
			packets: func(ask, answer func(...[]byte)) {
				ask([]byte(preface), frame(frameHeaders, 5, 1, 1))
				answer(frame(0, 0, 1)[:9], []byte{1, 2, 3})
				answer(frame(0, 0, 1)[:9], []byte{0, 0, 9})
			},
			untold: true,
		},
		{
			name: "behind what was taken of a packet others are answered: they are not told to be open",
			packets: func(ask, answer func(...[]byte)) {
				ask([]byte(preface))
				for id := uint32(1); id < 80; id += 2 {
					ask(frame(frameHeaders, 5, id, 1))
				}
				var taken []byte
				for id := uint32(1); len(taken) < 1000; id += 2 {
					taken = append(append(taken, frame(frameHeaders, 4, id, 9)...), frame(0, 1, id, make([]byte, 40)...)...)
				}
				answer(taken[:1000])
				ask(frame(frameHeaders, 5, 81, 1))
			},
			open: 1, oldest: 2, answered: 17, cut: true,
		},
	} {
		f := &streams{}
		send := func(from, to netip.AddrPort) func(...[]byte) {
			return func(parts ...[]byte) {
				var b []byte
				for _, p := range parts {
					b = append(b, p...)
				}
				if !isFrame(b) {
					t.Errorf("%s: %v is no frame", test.name, b)
				}
				f.take(from, to, b, !test.cut || len(b) < 900, time.Second)
			}
		}
		server := server
		if test.high {
			server = netip.MustParseAddrPort("10.0.0.2:50051")
		}
		test.packets(send(client, server), send(server, client))
		var told []probe.Event
		f.flush(o, 3*time.Second, false, func(e probe.Event) { told = append(told, e) })
		if test.untold || len(told) == 0 {
			if !test.untold || len(told) > 0 {
				t.Errorf("%s: told %v", test.name, told)
			}
			continue
		}
		open, answered := told[0], told[1]
		if open.Kind != probe.StreamsOpen || open.Local != server || open.Remote != client || open.Count != test.open || open.Value != test.oldest ||
			answered.Kind != probe.StreamsAnswered || answered.Count != uint64(test.answered) || answered.Value != float64(test.limit) {
			t.Errorf("%s: %+v", test.name, told)
		}
	}
}

// TestStreamsThatWereLost loses packets: what was open may have been answered, and nothing is
// told of that second; how many streams there may be is known still.
func TestStreamsThatWereLost(t *testing.T) {
	client, server := netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.2:9000")
	o := Options{Host: "calc", Local: func(a netip.Addr) bool { return a == server.Addr() }, Watched: func(netip.Addr) bool { return true }}
	f := &streams{share: newShare(0, 0, 0)}
	f.take(client, server, append([]byte(preface), frame(frameHeaders, 5, 1, 1)...), true, 0)
	f.take(server, client, frame(frameSettings, 0, 0, 0, settingLimit, 0, 0, 0, 64), true, 0)
	if f.read(3, 0, 0) {
		t.Error("3 packets were too many")
	}
	for !chosen(client, server, 1) { // it is to stay
		client = netip.AddrPortFrom(client.Addr(), client.Port()+1)
		f.take(client, server, append([]byte(preface), frame(frameHeaders, 5, 1, 1)...), true, 0)
		f.take(server, client, frame(frameSettings, 0, 0, 0, settingLimit, 0, 0, 0, 64), true, 0)
	}
	if !f.read(3, 10, time.Second/2) {
		t.Error("nothing changed after a loss")
	}
	var told []probe.Event
	for at := time.Second; at <= 3*time.Second; at += time.Second {
		f.flush(o, at, false, func(e probe.Event) { told = append(told, e) })
		if at == time.Second && len(told) > 0 {
			t.Errorf("of a second with a loss it tells %+v", told)
		}
		f.take(client, server, frame(frameHeaders, 5, uint32(at/time.Second)*2+1, 1), true, at+time.Second/2)
		if f.read(1, 0, at+time.Second/2) {
			t.Error("one packet was too many")
		}
	}
	if len(told) != 4 || told[0].Count != 1 || told[0].Value != 0.5 || told[1].Value != 64 || told[2].Count != 2 || told[2].Value != 1.5 {
		t.Errorf("%+v", told)
	}
	if m := f.missing(); len(m) != 1 || !strings.Contains(m[0].Reason, "1 of 2 at least") {
		t.Errorf("it says %v", m)
	}
}

// TestStreamsOfEndedConnections has two connections fall silent with a request open: of the one
// that has ended nobody waits for an answer any more, on the other somebody does.
func TestStreamsOfEndedConnections(t *testing.T) {
	gone, there := netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.1:40001")
	elsewhere, server := netip.MustParseAddrPort("10.0.0.2:9001"), netip.MustParseAddrPort("10.0.0.2:9000")
	o := Options{Host: "calc", Local: func(a netip.Addr) bool { return a == server.Addr() }, Watched: func(netip.Addr) bool { return true }}
	up, looks := []netip.AddrPort{gone, there}, 0
	f := &streams{established: func(visit func(local, remote netip.AddrPort)) error {
		looks++
		for _, client := range up {
			visit(server, client)
		}
		return nil
	}}
	begin := append([]byte(preface), frame(frameHeaders, 5, 1, 1)...)
	f.take(gone, server, begin, true, 5*time.Second)
	f.take(there, server, begin, true, 5*time.Second)
	f.take(there, elsewhere, begin, true, 5*time.Second) // whose sockets are in another namespace
	for now := 6 * time.Second; now < 20*time.Second; now += time.Second {
		if now == 8*time.Second {
			up = up[1:]
		}
		open := map[[2]netip.AddrPort]float64{}
		f.flush(o, now, false, func(e probe.Event) {
			if e.Kind == probe.StreamsOpen {
				open[[2]netip.AddrPort{e.Remote, e.Local}] = e.Value
			}
		})
		age := (now - 5*time.Second).Seconds()
		if open[[2]netip.AddrPort{there, server}] != age || open[[2]netip.AddrPort{there, elsewhere}] != age {
			t.Errorf("at %v: %v, of which two wait for %v s", now, open, age)
		}
		if _, told := open[[2]netip.AddrPort{gone, server}]; told != (now < 8*time.Second+lookAfter-2*time.Second) {
			t.Errorf("at %v: of the connection that ended at 8s it is told: %v", now, told)
		}
	}
	if looks > 4 {
		t.Errorf("looked %d times in 14 s", looks)
	}
}
