package replies

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestChosen chooses the same connections in both directions, a part of them as large as asked
// for, and at each level some of those of the level below.
func TestChosen(t *testing.T) {
	for _, ends := range [][2]string{{"10.0.0.1", "10.0.0.2"}, {"127.0.0.1", "127.0.0.1"}, {"2001:db8::1", "2001:db8::2"}} {
		client, server := netip.MustParseAddr(ends[0]), netip.AddrPortFrom(netip.MustParseAddr(ends[1]), 50051)
		var some [5]float64
		const all = 4000
		for port := uint16(30000); port < 30000+2*all; port += 2 { // ports of one client are all even
			client := netip.AddrPortFrom(client, port)
			for level := range some {
				is := chosen(client, server, uint(level))
				if is != chosen(server, client, uint(level)) {
					t.Fatalf("%v is chosen in one direction", client)
				}
				if is && level > 0 && !chosen(client, server, uint(level-1)) {
					t.Fatalf("%v is chosen at level %d, and not at %d", client, level, level-1)
				}
				if is {
					some[level]++
				}
			}
		}
		for level, n := range some {
			want := all / math.Exp2(float64(level))
			if math.Abs(n-want) > 4*math.Sqrt(want) || level == 0 && n != all {
				t.Errorf("%v: %v of %d at level %d", ends, n, all, level)
			}
		}
	}
}

// TestShare lets packets come at a rate that changes, and follows how much of them is read.
func TestShare(t *testing.T) {
	const budget = 1000
	for _, c := range []struct {
		name    string
		rate    func(second int) float64 // of all packets
		alone   bool                     // one connection has them all, chosen at level 0 only
		seconds int
		levels  map[int]uint // at the end of a second
		most    float64      // packets that were read, of budget * seconds
		says    string
	}{
		{"little", func(int) float64 { return 900 }, false, 20, map[int]uint{0: 0, 19: 0}, 0.91, ""},
		{"much, from the start", func(int) float64 { return 50000 }, false, 60, map[int]uint{1: 6, 30: 6, 59: 6}, 1.1, "1 of 64 at least"},
		{"much for ten seconds", func(s int) float64 {
			if s >= 5 && s < 15 {
				return 50000
			}
			return 300
		}, false, 60, map[int]uint{4: 0, 8: 6, 14: 6, 45: 0, 59: 0}, 0.6, "1 of 64 at least"},
		{"a little more than is read", func(int) float64 { return 1500 }, false, 60, map[int]uint{3: 1, 59: 1}, 0.9, "1 of 2 at least"},
		{"too much of one connection", func(int) float64 { return 50000 }, true, 300, nil, 0.5, "of its connections"},
	} {
		s := newShare(budget, 0, 0)
		read, some := 0, 0.0
		changes := 0
		for now := gather; now <= time.Duration(c.seconds)*time.Second; now += gather {
			second := int((now - 1) / time.Second)
			part := s.value()
			if c.alone {
				part = math.Floor(part)
			}
			some += c.rate(second) * part * gather.Seconds()
			n := int(some)
			some -= float64(n)
			read += n
			if s.read(n, false, false, now) {
				changes++
			}
			if now%time.Second == 0 {
				if s.second(1, now) {
					changes++
				}
				if want, is := c.levels[second]; is && s.level != want {
					t.Errorf("%s: level %d after %d s, want %d", c.name, s.level, second+1, want)
				}
			}
		}
		if part := float64(read) / float64(budget*c.seconds); part > c.most {
			t.Errorf("%s: %.2f of what may be read was", c.name, part)
		}
		if changes > 30 {
			t.Errorf("%s: %d changes", c.name, changes)
		}
		if text := s.missing(); !strings.Contains(text, c.says) || c.says == "" && text != "" {
			t.Errorf("%s: it says %q", c.name, text)
		}
	}
}

// TestShareOfMany follows a part of connections where there are too many, though little is said
// on each.
func TestShareOfMany(t *testing.T) {
	f := &streams{share: newShare(0, 0, 0)}
	server := netip.MustParseAddrPort("10.0.0.2:9000")
	for now := time.Second; now < 5*time.Second; now += time.Second { // the later ones find room
		packets := 0
		for i := range 1000 {
			client := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(20000+i))
			if chosen(client, server, f.share.level) {
				f.take(client, server, append([]byte(preface), frame(frameHeaders, 5, 1, 1)...), true, now)
				packets++
			}
		}
		f.read(packets, 0, now)
	}
	if n := len(f.conns); n < 64 || n > maxMultiplexed || f.share.level < 2 || f.share.level > 3 {
		t.Errorf("%d connections at level %d", n, f.share.level)
	}
	for key := range f.conns {
		if !chosen(key.client, key.server, f.share.level) {
			t.Errorf("%v is followed", key)
		}
	}
	if m := fmt.Sprint(f.missing()); !strings.Contains(m, "a part of its connections") {
		t.Errorf("it says %s", m)
	}
}
