package diagnose_test

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
)

const (
	rightful = "02:00:00:00:00:0a"
	intruder = "02:00:00:00:00:0b"
)

// neighbour adds a change of who has the service's address, as this machine learned it.
func (w *world) neighbour(at float64, from, to string) {
	w.event(probe.Event{
		Kind: probe.NeighbourChange, At: dur(at), Host: "local", Source: probe.Source{Host: "local", Name: "neighbours"},
		Remote: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), 0), Reason: from, State: to, Kernel: &probe.Kernel{Interface: "eth0"},
	})
}

// holds has the service's host have its address, or give it up.
func (w *world) holds(at float64, has bool) {
	w.event(probe.Event{
		Kind: probe.AddressHeld, At: dur(at), Host: serverHost, Source: probe.Source{Host: serverHost, Name: "neighbours"},
		Local: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), 0), State: rightful, Value: map[bool]float64{true: 1}[has], Kernel: &probe.Kernel{Interface: "eth0"},
	})
}

// TestAddressConflict: two machines that have one address, and what only looks like that.
func TestAddressConflict(t *testing.T) {
	refusedAt := func(r *request) {
		r.fault, r.phase, r.status, r.reused, r.wire, r.latency = attack.Refused, attack.PhaseDial, 0, false, false, 0.0005
	}
	for _, test := range []struct {
		name    string
		play    func(w *world)
		want    string // claimed; empty: address-conflict is not
		says    string
		carries string // also in the sentence
	}{
		{
			name: "another machine takes the address and loses it, again and again",
			play: func(w *world) {
				first := 0.3 * w.length
				w.holds(-1, true)
				for at := first; at < w.length-3; at += 5 {
					w.neighbour(at, rightful, intruder)
					w.neighbour(at+2, intruder, rightful)
				}
				w.fail = func(r *request) {
					if r.due > first && math.Mod(r.due-first, 5) < 2 && r.due < w.length-3 {
						refusedAt(r)
					}
				}
			},
			want: "address-conflict", says: "10.0.0.2 is held by 02:00:00:00:00:0a (orders-1) and 02:00:00:00:00:0b", carries: "while 02:00:00:00:00:0b had it",
		},
		{
			name: "another machine takes the address, and who had it has it still",
			play: func(w *world) {
				at := 0.5 * w.length
				w.holds(-1, true)
				w.neighbour(at, rightful, intruder)
				w.fail = func(r *request) {
					if r.due > at {
						refusedAt(r)
					}
				}
			},
			want: "address-conflict", says: "is held by",
		},
		{
			name: "the address is given up and taken by another, which does not serve yet",
			play: func(w *world) {
				at := 0.5 * w.length
				w.holds(-1, true)
				w.holds(at-0.1, false)
				w.neighbour(at, rightful, intruder)
				w.fail = func(r *request) {
					if r.due > at {
						refusedAt(r)
					}
				}
			},
		},
		{
			name: "the address is taken over and given back, each time in order",
			play: func(w *world) {
				at := 0.4 * w.length
				w.holds(-1, true)
				w.holds(at-0.1, false)
				w.neighbour(at, rightful, intruder)
				w.holds(at+5, true)
				w.neighbour(at+5, intruder, rightful)
				w.holds(at+9.9, false)
				w.neighbour(at+10, rightful, intruder)
				w.fail = func(r *request) {
					for _, t := range []float64{at, at + 5, at + 10} {
						if r.due > t-0.05 && r.due < t+0.5 {
							reset(r, attack.PhaseAwait)
						}
					}
				}
			},
		},
		{
			name: "a bond that answers with one port and another, under a service that resets a part",
			play: func(w *world) {
				for at := 1.0; at < w.length; at += 4 {
					w.neighbour(at, rightful, intruder)
					w.neighbour(at+2, intruder, rightful)
				}
				w.fail = func(r *request) {
					if r.number%40 == 0 {
						reset(r, attack.PhaseAwait)
					}
				}
			},
		},
		{
			name: "the address of somebody else goes to and fro",
			play: func(w *world) {
				at := 0.5 * w.length
				w.neighbour(at-8, rightful, intruder)
				w.neighbour(at-6.5, intruder, rightful)
				w.fail = func(r *request) {
					if r.due > at && w.rng.Float64() < 0.3 {
						reset(r, attack.PhaseAwait)
					}
				}
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for seed := range uint64(3) {
				w := newWorld(rand.New(rand.NewPCG(seed, 29)))
				w.length = 22
				w.behindFirewall()
				test.play(w)
				w.background()
				w.play()
				w.complete()
				f := diagnose.Analyze(w.log).Findings[0]
				claims := f.Verdict == diagnose.Explains && f.Cause == "address-conflict"
				if claims != (test.want != "") {
					t.Errorf("seed %d: %s %s (%.2f): %s\n%v", seed, f.Verdict, f.Cause, f.Confidence, f.Summary, evidence(f))
				}
				if all := strings.Join(evidence(f), "\n"); !strings.Contains(all, test.says) || !strings.Contains(all, test.carries) {
					t.Errorf("seed %d: no evidence says %q and %q:\n%s", seed, test.says, test.carries, all)
				}
			}
		})
	}
}

// TestStaleAddress: a service that moved while a proxy goes on asking its old address, where
// another machine answers or nobody does, and one that only got a further address.
func TestStaleAddress(t *testing.T) {
	const moved = 10.0
	held := func(w chained, at float64, addr string, value float64) {
		w.event(probe.Event{
			Kind: probe.AddressHeld, At: dur(at), Host: "api-1", Source: probe.Source{Host: "api-1", Name: "neighbours"},
			Local: netip.AddrPortFrom(netip.MustParseAddr(addr), 0), State: rightful, Value: value, Kernel: &probe.Kernel{Interface: "eth0"},
		})
	}
	taken := func(w chained) {
		w.event(probe.Event{
			Kind: probe.NeighbourChange, At: dur(moved + 0.05), Host: serverHost, Source: probe.Source{Host: serverHost, Name: "neighbours"},
			Remote: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.3"), 0), Reason: rightful, State: intruder, Kernel: &probe.Kernel{Interface: "eth0"},
		})
	}
	for _, test := range []struct {
		name   string
		status uint16
		after  func(w chained)
		want   string // empty: any but stale-address
		host   string
	}{
		{"another machine has it", 404, func(w chained) {
			held(w, moved, "10.0.0.3", 0)
			held(w, moved, "10.0.0.33", 1)
			taken(w)
		}, "stale-address", serverHost},
		{"it has one more", 404, func(w chained) { held(w, moved, "10.0.0.33", 1) }, "", ""},
		{"another host takes a virtual address over", 503, func(w chained) {
			held(w, moved, "10.0.0.3", 0)
			taken(w)
		}, "", ""},
		{"it gave up one that nobody asks", 404, func(w chained) { held(w, -1, "10.0.7.3", 1); held(w, moved, "10.0.7.3", 0) }, "", ""},
		{"it was without for a moment", 404, func(w chained) {
			held(w, moved, "10.0.0.3", 0)
			held(w, moved+0.2, "10.0.0.3", 1)
		}, "", ""},
	} {
		for seed := range uint64(3) {
			w := newChained(seed)
			held(w, -1, "10.0.0.3", 1)
			w.hop(serverHost, "nginx", "*:8080", 10, 2, 4, 0, 0, 1, 0.01)
			w.peer(serverHost, "nginx", "10.0.0.3:8080", 4, 0, 0.01, 0)
			w.hop("api-1", "api", "*:8080", 20, 8, 0, 0, 0, 0, 0)
			w.fail = func(r *request) {
				if r.due >= moved {
					r.fault, r.status, r.latency = attack.Status, test.status, 0.002
				}
			}
			w.play()
			test.after(w)
			w.complete()
			f := diagnose.Analyze(w.log).Findings[0]
			switch {
			case test.want == "" && f.Cause == "stale-address":
				t.Errorf("%s, seed %d: %s %s: %s", test.name, seed, f.Verdict, f.Cause, f.Summary)
			case test.want != "" && (f.Verdict != diagnose.Explains || f.Cause != test.want || f.Host != test.host):
				t.Errorf("%s, seed %d: %s %s on %s (%.2f): %s\n%v", test.name, seed, f.Verdict, f.Cause, f.Host, f.Confidence, f.Summary, evidence(f))
			}
		}
	}
}
