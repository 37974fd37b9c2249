package demand_test

import (
	"math"
	"net/netip"
	"testing"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/demand"
	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/diagnose/waiting"
)

var (
	before, since = waiting.Span{From: 1, To: 10}, waiting.Span{From: 15, To: 22}
	caller, other = netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.9")
)

// track is a reading of every half second, with a rate before and one from 12 s on.
func track(was, is float64) hops.Track {
	var t hops.Track
	for at := 0.0; at <= 24; at += 0.5 {
		t.At, t.Value = append(t.At, at), append(t.Value, was*min(at, 12)+is*max(0, at-12))
	}
	return t
}

func level(v float64) hops.Track {
	t := track(0, 0)
	for i := range t.Value {
		t.Value[i] = v
	}
	return t
}

func sent(from, to float64) float64 { return 60 * (to - from) }

// TestTimes tells how many times as much comes to a hop for each request.
func TestTimes(t *testing.T) {
	unknown := math.NaN()
	for _, test := range []struct {
		name        string
		was, is     float64 // at the listener
		asked, asks float64 // by those before it
		goesOn      bool    // it asks others
		others      float64 // connections of others, beside 10
		least, most float64
	}{
		{name: "as much as before", was: 60, is: 60, least: 1, most: 1},
		{name: "five for each", was: 60, is: 300, least: 5, most: 5},
		{name: "two segments for each, as before", was: 120, is: 120, least: 1, most: 1},
		{name: "a cache before it is empty", was: 6, is: 60, least: 1, most: 1},
		{name: "it asks others, whose late answers count", was: 60, is: 150, asked: 60, asks: 60, goesOn: true, least: 1, most: 2.5},
		{name: "so, and those before it are not read", was: 60, is: 150, goesOn: true, least: unknown, most: 2.5},
		{name: "somebody else asks it", was: 60, is: 300, others: 10, least: unknown, most: unknown},
		{name: "nothing was counted", least: unknown, most: unknown},
		{name: "next to nothing came", was: 0.5, is: 300, least: unknown, most: unknown},
	} {
		x := &hops.Service{Host: "stock", Tracks: map[string]hops.Track{probe.Arrived: track(test.was, test.is)}, Taken: map[netip.Addr]hops.Track{caller: level(10)}}
		if test.was == 0 {
			x.Tracks = map[string]hops.Track{probe.Owed: track(1, 20)}
		}
		if test.others > 0 {
			x.Taken[other] = level(test.others)
		}
		at := &hops.Hop{Process: "stock", Port: 9000, Instances: []*hops.Service{x}}
		if test.asked > 0 {
			at.Asked = []*hops.Peer{{Tracks: map[string]hops.Track{probe.Asked: track(test.asked, test.asks)}}}
		}
		if test.goesOn {
			at.Next = []*hops.Hop{{}}
		}
		least, most := demand.Of(at, []netip.Addr{caller}, sent, before, since).Times()
		if !same(least, test.least) || !same(most, test.most) {
			t.Errorf("%s: at least %v, at most %v, want %v and %v", test.name, least, most, test.least, test.most)
		}
	}
}

func same(a, b float64) bool { return math.Abs(a-b) < 0.01 || math.IsNaN(a) && math.IsNaN(b) }

// TestOverrun tells a hop that would keep up with the client from one that would not.
func TestOverrun(t *testing.T) {
	for _, test := range []struct {
		name  string
		grows float64 // what stands there, a second, of 300 that come
		want  bool
	}{
		{"it ends 120 a second, of 60 that are sent", 180, true},
		{"it ends 20 a second", 280, false},
		{"it ends all that comes", 0, false},
	} {
		x := &hops.Service{Host: "stock", Tracks: map[string]hops.Track{probe.Arrived: track(60, 300), probe.Owed: track(0, test.grows)}}
		at := &hops.Hop{Process: "stock", Port: 9000, Instances: []*hops.Service{x}}
		if got := demand.Of(at, nil, sent, before, since).Overrun(); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
