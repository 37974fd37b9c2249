package diagnose_test

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

const firewall = "fw0"

// behindFirewall puts a firewall between this machine and the service.
func (w *world) behindFirewall() {
	w.log.Header.Targets[0].Hosts = []string{firewall, serverHost}
	w.log.Header.Hosts = append(w.log.Header.Hosts, runlog.Host{Name: firewall, Addrs: []string{"10.0.0.254"}})
	w.log.Trailer.Sources = append(w.log.Trailer.Sources, probe.Status{Source: probe.Source{Host: firewall, Name: "reset trace"}, State: probe.Measured})
}

// tells adds an event of a kernel for every failure of a fault, times packets each.
func (w *world) tells(fault attack.Fault, times uint64, e probe.Event) {
	e.Source = probe.Source{Host: e.Host, Name: "reset trace"}
	for _, f := range w.log.Failures {
		if f.Fault == fault {
			e.At, e.Count = f.Start, times
			port := max(e.Local.Port(), serverPort)
			e.Local, e.Remote = netip.AddrPortFrom(f.Conn.Remote.Addr(), port), f.Conn.Local
			w.event(e)
		}
	}
}

// waits adds how late connections were accepted ("accept") or data read ("read"), by
// time.
func (w *world) waits(kind string, late func(t float64) float64) {
	for t := 0.0; t < w.duration(); t++ {
		w.event(probe.Event{
			Kind: probe.Waited, At: dur(t), Host: serverHost, Source: probe.Source{Host: serverHost, Name: "reset trace"},
			Reason: kind, Count: 100, Value: late(t), Local: netip.AddrPortFrom(netip.IPv4Unspecified(), serverPort), Kernel: &probe.Kernel{},
		})
	}
}

// TestKernelsAccount holds verdicts against what kernels say that they dropped or
// rejected: one world for each cause that they prove, and one for each that a kernel's
// word only tempts to.
func TestKernelsAccount(t *testing.T) {
	silent := func(r *request) {
		timeout(r, attack.PhaseDial, 3)
		r.reused, r.retrans = false, 2
	}
	// from fails a share of the requests from a load on.
	from := func(w *world, share float64, become func(*request)) {
		at := w.timeOf(w.loadBetween(0.4, 0.6))
		w.fail = func(r *request) {
			if r.due >= at && w.rng.Float64() < share {
				become(r)
			}
		}
	}
	drop := func(host, reason, packet string, k probe.Kernel) probe.Event {
		k.Packet = packet
		return probe.Event{Kind: probe.PacketDrop, Host: host, Reason: reason, Kernel: &k}
	}
	forward := probe.Kernel{Hook: "FORWARD", Table: "filter"}
	for _, test := range []struct {
		name    string
		play    func(w *world)
		after   func(w *world)
		want    string   // claimed
		open    bool     // or only the likeliest: another rule of the filter may drop so too
		says    string   // in its evidence
		refused []string // never claimed
	}{
		{
			name:  "a firewall that drops a share of the handshakes",
			play:  func(w *world) { from(w, 0.4, silent) },
			after: func(w *world) { w.tells(attack.Timeout, 3, drop(firewall, "NETFILTER_DROP", "SYN", forward)) },
			want:  "silent-firewall", says: "SYNs to :8080 in FORWARD of table filter",
		},
		{
			name: "a rule that drops what exceeds a rate",
			play: func(w *world) {
				limit := w.loadBetween(0.4, 0.6)
				w.fail = func(r *request) {
					if w.rng.Float64() < excess(r.load, limit) {
						silent(r)
					}
				}
			},
			after:   func(w *world) { w.tells(attack.Timeout, 3, drop(firewall, "NETFILTER_DROP", "SYN", forward)) },
			want:    "path-rate-limit",
			open:    true,
			says:    "the kernel of fw0 dropped",
			refused: []string{"silent-firewall", "packet-loss"},
		},
		{
			name: "a REJECT rule on the way",
			play: func(w *world) { from(w, 0.2, func(r *request) { reset(r, attack.PhaseAwait) }) },
			after: func(w *world) {
				w.tells(attack.Reset, 1, probe.Event{Kind: probe.RSTRejected, Host: firewall, Kernel: &probe.Kernel{Hook: "FORWARD", Table: "guard", Chain: "transit"}})
			},
			want: "path-reset", says: "resets in FORWARD of table guard, chain transit",
		},
		{
			name: "a REJECT rule on the serving host",
			play: func(w *world) { from(w, 0.2, func(r *request) { reset(r, attack.PhaseAwait) }) },
			after: func(w *world) {
				w.tells(attack.Reset, 1, probe.Event{Kind: probe.RSTRejected, Host: serverHost, Kernel: &probe.Kernel{Hook: "INPUT", Table: "filter"}})
			},
			want: "host-firewall", says: "the kernel of orders-1 rejected connections to :8080 with", refused: []string{"path-reset"},
		},
		{
			name:  "a full connection table that no gauge watched",
			play:  func(w *world) { from(w, 0.5, silent) },
			after: func(w *world) { w.tells(attack.Timeout, 3, drop(firewall, "CONNTRACK_FULL", "SYN", probe.Kernel{})) },
			want:  "conntrack-table", says: "connection tracking took no more (CONNTRACK_FULL)",
		},
		{
			name: "connections that cannot be entered into a table with room: they have no port to be translated to",
			play: func(w *world) { from(w, 0.5, silent) },
			after: func(w *world) {
				w.tells(attack.Timeout, 3, drop(firewall, "CONNTRACK_INSERT_FAILED", "SYN", probe.Kernel{Hook: "POSTROUTING"}))
				w.series(firewall, "", probe.Conntrack, 262144, func(float64) float64 { return 550 })
			},
			want: "nat-ports", says: "connection tracking took no more (CONNTRACK_INSERT_FAILED)", refused: []string{"conntrack-table"},
		},
		{
			name: "a reverse-path filter",
			play: func(w *world) { from(w, 0.5, silent) },
			after: func(w *world) {
				w.tells(attack.Timeout, 3, drop(serverHost, "IP_RPFILTER", "SYN", probe.Kernel{Interface: "eth1"}))
			},
			want: "reverse-path-filter", says: "another interface than eth1 (IP_RPFILTER)",
		},
		{
			name: "packets too big for the way on, and nobody may say so",
			play: func(w *world) {
				w.fail = func(r *request) {
					if r.number%9 == 0 {
						timeout(r, attack.PhaseBody, 5)
						r.retrans = 4
					}
				}
			},
			after: func(w *world) {
				w.tells(attack.Timeout, 2, drop(firewall, "NETFILTER_DROP", "packet-too-big", forward))
			},
			want: "mtu-black-hole", says: "packet-too-big messages", refused: []string{"silent-firewall"},
		},
		{
			name: "an accept queue that overflows, of a service that accepts late",
			play: func(w *world) { from(w, 0.4, silent) },
			after: func(w *world) {
				w.tells(attack.Timeout, 3, drop(serverHost, "ACCEPT_QUEUE_FULL", "SYN", probe.Kernel{}))
				w.counter(serverHost, probe.ListenOverflows, func(t float64) float64 {
					if t > firstFailure(w)-3 {
						return 200
					}
					return 0
				})
				first := firstFailure(w)
				w.waits("accept", func(t float64) float64 {
					if t > first-3 {
						return 0.24
					}
					return 0.001
				})
			},
			want: "listen-backlog", says: "accepted 240 ms late: the process, not the network",
		},
		{
			name: "a full connection table, where the kernel tells no more than the hook",
			play: func(w *world) { from(w, 0.5, silent) },
			after: func(w *world) {
				k := probe.Kernel{Hook: "PREROUTING", Path: "nf_hook_slow"}
				w.tells(attack.Timeout, 3, drop(firewall, "NETFILTER_DROP", "SYN", k))
				first, failures := firstFailure(w), 0.0
				for _, f := range w.log.Failures {
					if f.Fault == attack.Timeout {
						failures++
					}
				}
				w.counter(firewall, probe.ConntrackDrop, func(t float64) float64 {
					if t < first-3 {
						return 0
					}
					return 3 * failures / (w.duration() - first) // a second
				})
			},
			want: "conntrack-table", says: "connection tracking took no more (CONNTRACK_FULL)", refused: []string{"silent-firewall"},
		},
		{
			name: "late reads of what had come in: the network is innocent",
			play: func(w *world) { from(w, 0.5, func(r *request) { timeout(r, attack.PhaseAwait, 3); r.retrans = 1 }) },
			after: func(w *world) {
				first := firstFailure(w)
				w.waits("read", func(t float64) float64 { return map[bool]float64{true: 0.5, false: 0.001}[t > first-3] })
			},
			refused: []string{"packet-loss", "network-outage", "silent-firewall"},
		},
		{
			name: "a firewall that drops what is meant for another port",
			play: func(w *world) { from(w, 0.4, silent) },
			after: func(w *world) {
				e := drop(firewall, "NETFILTER_DROP", "SYN", forward)
				e.Local = netip.AddrPortFrom(netip.IPv4Unspecified(), 9999)
				w.tells(attack.Timeout, 3, e)
			},
			refused: []string{"silent-firewall", "path-rate-limit"},
		},
		{
			name: "a handful of drops among many timeouts",
			play: func(w *world) { from(w, 0.4, silent) },
			after: func(w *world) {
				w.tells(attack.Timeout, 1, drop(firewall, "NETFILTER_DROP", "SYN", forward))
				seen := 0
				w.log.Events = slices.DeleteFunc(w.log.Events, func(e probe.Event) bool {
					if e.Kind == probe.PacketDrop {
						seen++
					}
					return e.Kind == probe.PacketDrop && seen > 4
				})
			},
			refused: []string{"silent-firewall"},
		},
		{
			name: "a rule that drops somebody else's handshakes to this port all the time",
			play: func(w *world) { from(w, 0.2, silent) },
			after: func(w *world) {
				for at := 0.1; at < w.duration(); at += 0.1 {
					e := drop(firewall, "NETFILTER_DROP", "SYN", forward)
					e.At, e.Count, e.Source = dur(at), 30, probe.Source{Host: firewall, Name: "reset trace"}
					e.Local, e.Remote = addrPort("10.0.0.2", serverPort), addrPort("203.0.113.9", 4711)
					w.event(e)
				}
			},
			refused: []string{"silent-firewall", "path-rate-limit"},
		},
		{
			name: "late answers while the kernel says that a service accepts late: the network is innocent",
			play: func(w *world) { from(w, 0.5, func(r *request) { timeout(r, attack.PhaseDial, 3); r.retrans = 1 }) },
			after: func(w *world) {
				first := firstFailure(w)
				w.waits("accept", func(t float64) float64 { return map[bool]float64{true: 0.5, false: 0.001}[t > first-3] })
			},
			refused: []string{"packet-loss", "network-outage", "silent-firewall"},
		},
	} {
		for seed := range uint64(3) {
			w := newWorld(rand.New(rand.NewPCG(seed, 1199)))
			w.length, w.latency = 24, 0.05 // so that open connections follow the load
			w.behindFirewall()
			test.play(w)
			w.background()
			w.play()
			test.after(w)
			w.complete()
			f := diagnose.Analyze(w.log).Findings[0]
			said := func(e diagnose.Evidence) bool { return strings.Contains(e.Text, test.says) }
			switch {
			case test.want != "" && (f.Cause != test.want || f.Verdict != diagnose.Explains && (!test.open || f.Verdict != diagnose.Ambiguous)):
				t.Errorf("%s, seed %d: %s %s, want %s: %s", test.name, seed, f.Verdict, f.Cause, test.want, f.Summary)
			case test.want != "" && !slices.ContainsFunc(f.Evidence, said):
				t.Errorf("%s, seed %d: no evidence says %q: %+v", test.name, seed, test.says, f.Evidence)
			case f.Verdict == diagnose.Explains && slices.Contains(test.refused, f.Cause):
				t.Errorf("%s, seed %d: claims %s: %s", test.name, seed, f.Cause, f.Summary)
			}
			if math.IsNaN(f.Confidence) {
				t.Errorf("%s, seed %d: confidence %v", test.name, seed, f.Confidence)
			}
		}
	}
}

// TestHealthyTellsDrops: a run without failures says what kernels dropped meanwhile,
// and says nothing of what belongs to the end of every connection.
func TestHealthyTellsDrops(t *testing.T) {
	for _, test := range []struct {
		name, says string
		event      probe.Event
	}{
		{"a firewall", "the kernel of fw0 dropped 36 SYNs to :8080 in FORWARD of table filter", probe.Event{
			Kind: probe.PacketDrop, Reason: "NETFILTER_DROP", Kernel: &probe.Kernel{Packet: "SYN", Hook: "FORWARD", Table: "filter"},
		}},
		{"a full queue", "the kernel of fw0 dropped 36 segments of connections to :8080: a queue of eth1 was full (QDISC_DROP)", probe.Event{
			Kind: probe.PacketDrop, Reason: "QDISC_DROP", Kernel: &probe.Kernel{Packet: "segment", Interface: "eth1"},
		}},
		{"the end of connections", "", probe.Event{
			Kind: probe.PacketDrop, Reason: "TCP_INVALID_SEQUENCE", Kernel: &probe.Kernel{Packet: "RST"},
		}},
	} {
		w := newWorld(rand.New(rand.NewPCG(1, 7)))
		w.length = 12
		w.behindFirewall()
		w.background()
		w.play()
		for at := 0.0; at < 12; at++ { // all the time: nothing that begins with a fault
			e := test.event
			e.Host, e.At, e.Count, e.Source = firewall, dur(at), 3, probe.Source{Host: firewall, Name: "reset trace"}
			e.Local, e.Remote = addrPort("10.0.0.2", serverPort), addrPort("10.0.0.9", 4711)
			w.event(e)
		}
		w.complete()
		f := diagnose.Analyze(w.log).Findings[0]
		told := slices.ContainsFunc(f.Evidence, func(e diagnose.Evidence) bool { return e.Text == test.says })
		if f.Verdict != diagnose.Healthy || told != (test.says != "") || strings.Contains(f.Summary, "dropped") != (test.says != "") {
			t.Errorf("%s: %s: %s\n%+v", test.name, f.Verdict, f.Summary, f.Evidence)
		}
	}
}

// TestDroppedInPart: a filter that drops some packets of connections that go on loses them,
// and one after which nothing of a connection passes any more shuts it out.
func TestDroppedInPart(t *testing.T) {
	for _, test := range []struct {
		name string
		lost float64 // of what was sent again
		want string
	}{
		{"what is sent again passes", 0.03, "packet-loss"},
		{"what is sent again is dropped as well", 0.7, "silent-firewall"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for seed := range uint64(3) {
				w := newWorld(rand.New(rand.NewPCG(seed, 15)))
				w.behindFirewall()
				w.fail = func(r *request) {
					if r.number%40 == 0 {
						timeout(r, attack.PhaseAwait, 2)
						r.retrans = 3
					}
				}
				w.background()
				w.play()
				w.tells(attack.Timeout, 3, probe.Event{
					Kind: probe.PacketDrop, Host: firewall, Reason: "NETFILTER_DROP",
					Kernel: &probe.Kernel{Packet: "segment", Hook: "FORWARD", Table: "filter"}, Local: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), serverPort),
				})
				for name, rate := range map[string]float64{probe.RetransSegs: 30, probe.LostRetransmit: 30 * test.lost, probe.SynRetrans: 0.2} {
					w.counter(serverHost, name, func(float64) float64 { return rate })
				}
				w.complete()
				f := diagnose.Analyze(w.log).Findings[0]
				if f.Cause != test.want {
					t.Errorf("seed %d: %s %s (%.2f), want %s\n%s\n%v", seed, f.Verdict, f.Cause, f.Confidence, test.want, f.Summary, evidence(f))
				}
			}
		})
	}
}

// TestHandshakesDroppedInPart: a filter that drops parts of handshakes, and not what is sent
// again, loses them; one that drops that as well shuts out.
func TestHandshakesDroppedInPart(t *testing.T) {
	for _, test := range []struct {
		name     string
		packet   string
		dropped  uint64  // for each handshake that failed
		again    float64 // sent again, a second
		halfOpen float64 // resets of half-open connections, a second
		want     string
	}{
		{"a client that gives up meets the SYN-ACK that is sent again", "SYN-ACK", 1, 8, 7, "packet-loss"},
		{"what is sent again is dropped as well", "SYN-ACK", 4, 24, 0, "silent-firewall"},
		{"and some are given up for another reason", "SYN-ACK", 4, 24, 3, "silent-firewall"},
		{"most of those that lost a part came up", "SYN", 30, 200, 0, "packet-loss"},
		{"the client gives up before anything is sent again", "SYN", 1, 0, 0, "silent-firewall"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for seed := range uint64(3) {
				w := newWorld(rand.New(rand.NewPCG(seed, 16)))
				w.pooled = false
				w.behindFirewall()
				w.fail = func(r *request) {
					if r.number%40 == 0 {
						timeout(r, attack.PhaseDial, 0.9)
					}
				}
				w.background()
				w.play()
				w.tells(attack.Timeout, test.dropped, probe.Event{
					Kind: probe.PacketDrop, Host: firewall, Reason: "NETFILTER_DROP",
					Kernel: &probe.Kernel{Packet: test.packet, Hook: "FORWARD"}, Local: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), serverPort),
				})
				for name, rate := range map[string]float64{probe.RetransSegs: test.again, probe.SynRetrans: test.again, probe.LostRetransmit: 0, probe.EmbryonicRsts: test.halfOpen} {
					w.counter(serverHost, name, func(float64) float64 { return rate })
				}
				w.complete()
				f := diagnose.Analyze(w.log).Findings[0]
				if f.Cause != test.want {
					t.Errorf("seed %d: %s %s (%.2f), want %s\n%s\n%v", seed, f.Verdict, f.Cause, f.Confidence, test.want, f.Summary, evidence(f))
				}
			}
		})
	}
}
