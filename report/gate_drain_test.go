package report

import (
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/series"
)

// drained is a climb from 100/s to 400/s on which answers get slow, or fail, at
// the top and end when nothing is due any more. Its last window was cut short.
func drained(fault attack.Fault) *Series {
	s := NewSeries(interval, []string{"orders"})
	for i := range int32(48) {
		n := uint64(25 * (1 + i/12))
		w := attack.Window{Index: i, Scheduled: n, Sent: n}
		if i == 47 {
			w.Scheduled, w.Sent = 10, 10
		}
		if i < 36 { // in 5 ms; a fifth ends in the next window
			w.Cells = []attack.Cell{{DueWindow: i, Attempts: n - n/5, Requests: n - n/5}}
			w.FromDue = attack.Histogram{{Value: 5000, Count: n - n/5}}
		}
		if i > 0 && i <= 36 {
			late := uint64(25*(1+(i-1)/12)) / 5
			w.Cells = append(w.Cells, attack.Cell{DueWindow: i - 1, Attempts: late, Requests: late})
			w.FromDue = w.FromDue.Merge(attack.Histogram{{Value: 6000, Count: late}})
		}
		s.Add(w)
	}
	for i := range int32(12) { // three seconds later
		n := uint64(100)
		if i == 11 {
			n = 10
		}
		w := attack.Window{Index: 48 + i, Cells: []attack.Cell{
			{DueWindow: 36 + i, Fault: fault, Attempts: n, Requests: n},
			{DueWindow: 48 + i, Fault: attack.Reset, Phase: attack.PhaseIdle, WireResets: 1},
		}}
		if fault == attack.None {
			w.FromDue = attack.Histogram{{Value: 3_000_000, Count: n}}
		}
		s.Add(w)
	}
	return s
}

// What ends after the load was caused by its end: a bound below that leaves it
// out, whatever is judged, and all gates of a bound judge the same requests.
func TestDrainCountsAtTheLoadOfTheEnd(t *testing.T) {
	well, failed := drained(attack.None), drained(attack.Timeout)
	const below, all = "1,800", "2,910" // requests due up to 300/s, and all
	for _, tt := range []struct {
		gate   string
		series *Series
		result string
		reason string
	}{
		{"failures < 10% up to 300/s", failed, GatePassed, "0 of " + below},
		{"p99 < 300ms up to 300/s", well, GatePassed, "0 of " + below},
		{"visible-resets < 10% up to 300/s", failed, GatePassed, "0 of " + below},
		{"wire-resets == 0 up to 300/s", failed, GatePassed, "0 of " + below},
		{"failures < 20% up to 200/s", failed, GatePassed, "0 of 900"},
		{"p99 < 300ms up to 200/s", well, GatePassed, "0 of 900"},
		{"failures < 1% up to 400/s", failed, GateFailed, "1,110 of " + all},
		{"p99 < 300ms up to 400/s", well, GateFailed, "1,110 of " + all},
		{"wire-resets == 0 up to 400/s", failed, GateFailed, "12 of 2,922"}, // an idle reset is an exposure of its own,
		{"failures < 1%", failed, GateFailed, "1,110 of " + all},
		{"p99 < 300ms", well, GateFailed, "1,110 of " + all},
	} {
		g, err := profiles.ParseGate(tt.gate)
		if err != nil {
			t.Fatal(err)
		}
		got := Judge([]profiles.Gate{g}, Judged{Series: tt.series})[0]
		if got.Result != tt.result || !strings.Contains(got.Reason, tt.reason) {
			t.Errorf("%s: %s %q, want %s %q", tt.gate, got.Result, got.Reason, tt.result, tt.reason)
		}
	}
}

// Latencies go back to the windows in which their requests were due, all of them
// and the slowest to the first; without a record of that they stay.
func TestSeriesLatencies(t *testing.T) {
	s := NewSeries(interval, []string{"orders"})
	s.Add(attack.Window{Index: 4, FromDue: attack.Histogram{{Value: 10, Count: 5}, {Value: 300_000, Count: 2}, {Value: 900_000, Count: 2}}, Cells: []attack.Cell{
		{DueWindow: 4, Attempts: 4, Requests: 4},
		{DueWindow: 3, Attempts: 2, Requests: 2},
		{DueWindow: 1, Remote: 1, Attempts: 1, Requests: 1},
		{DueWindow: 1, Remote: 2, Reused: true, Attempts: 2, Requests: 2},
		{DueWindow: 0, Fault: attack.Timeout, Attempts: 7, Requests: 7},
	}})
	s.Add(attack.Window{Index: 5, FromDue: attack.Histogram{{Value: 20, Count: 3}}})
	for i, want := range []attack.Histogram{
		nil,
		{{Value: 300_000, Count: 1}, {Value: 900_000, Count: 2}},
		nil,
		{{Value: 10, Count: 1}, {Value: 300_000, Count: 1}},
		{{Value: 10, Count: 4}},
		{{Value: 20, Count: 3}},
	} {
		got := s.Points[0][i].Latency
		if len(got) != len(want) {
			t.Errorf("window %d: %v, want %v", i, got, want)
			continue
		}
		for k := range want {
			if got[k] != want[k] {
				t.Errorf("window %d: %v, want %v", i, got, want)
			}
		}
	}
}

// Held connections that come to nothing fail like requests, at once and without
// having been sent; what is in flight beside them still counts as well ended.
func TestHeldConnectionsStrikeAndFail(t *testing.T) {
	held := func(failed, ended uint64) *Series {
		s := NewSeries(interval, []string{"orders"})
		for i := range int32(60) {
			s.Add(attack.Window{Index: i, Scheduled: 25, Sent: 25, Cells: []attack.Cell{
				{DueWindow: i, Phase: attack.PhaseDone, Attempts: ended, Requests: ended},
				{DueWindow: i, Fault: attack.Refused, Phase: attack.PhaseDial, Held: true, Attempts: failed, Requests: failed},
			}})
		}
		return s
	}
	gate := func(text string) []profiles.Gate {
		g, err := profiles.ParseGate(text)
		if err != nil {
			t.Fatal(err)
		}
		return []profiles.Gate{g}
	}
	if got := Judge(gate("failures < 1%"), Judged{Series: held(75, 25)})[0]; got.Result != GateFailed || *got.Value != 0.75 {
		t.Errorf("%+v, want 75 %% failed", got)
	}
	abort := gate("failures within 10s > 50%")
	if _, hit := series.NewAbort(abort, held(75, 25)).Struck(); !hit {
		t.Error("three in four fail, and nothing strikes")
	}
	if _, hit := series.NewAbort(abort, held(20, 0)).Struck(); hit {
		t.Error("20 of 45 are not half: the others are in flight")
	}
	if _, hit := series.NewAbort(abort, held(30, 0)).Struck(); !hit {
		t.Error("30 of 55 are more than half")
	}
}
