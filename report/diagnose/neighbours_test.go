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
