package diagnose_test

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

// chained is a world of three hosts: nginx on orders-1 asks api on api-1, which asks
// postgres on db-1. Readings have one value before the failures and one from then on.
type chained struct {
	*world
	at float64 // seconds: failures begin
}

func newChained(seed uint64) chained {
	w := chained{newWorld(rand.New(rand.NewPCG(seed, 99))), 0}
	w.length = 24
	w.from, w.to = 100, 100
	w.at = 10
	w.log.Header.Targets[0].Hosts = []string{serverHost, "api-1", "db-1"}
	w.log.Header.Hosts = append(w.log.Header.Hosts, runlog.Host{Name: "api-1", Addrs: []string{"10.0.0.3"}}, runlog.Host{Name: "db-1", Addrs: []string{"10.0.0.4"}})
	return w
}

func (w chained) put(m probe.Metric, before, now float64) {
	w.seriesOf(m, math.NaN(), func(t float64) float64 {
		if t >= w.at {
			return now
		}
		return before
	})
}

// hop adds a process that listens. Owed, oldest and the like are of the time of failures.
func (w chained) hop(host, process, listener string, pid int32, threads, inbound, notAccepted, notRead, owed, oldest float64) {
	of := func(name, instance string, pid int32, before, now float64) {
		w.put(probe.Metric{Host: host, Process: process, PID: pid, Name: name, Instance: instance}, before, now)
	}
	of(probe.Inbound, listener, 0, 4, inbound)
	of(probe.Serving, listener, pid, 0, 0)
	of(probe.Callers, listener+" "+map[string]string{serverHost: "10.0.0.1", "api-1": "10.0.0.2", "db-1": "10.0.0.3"}[host], 0, 4, 4)
	of(probe.NotAccepted, listener, 0, 0, notAccepted)
	of(probe.RequestsUnread, listener, 0, 0, notRead)
	of(probe.Owed, listener, 0, 1, owed)
	of(probe.OwedOldest, listener, 0, 0.01, oldest)
	of(probe.OwedMedian, listener, 0, 0.005, oldest/2)
	of(probe.Threads, "", pid, threads, threads)
	of(probe.ProcessCPU, "", pid, 0.05, 0.03)
}

func (w chained) peer(host, process, peer string, connections, awaiting, oldest, connecting float64) {
	for name, v := range map[string][2]float64{
		probe.PeerConnections: {4, connections}, probe.Awaiting: {0, awaiting}, probe.AwaitingOldest: {0.01, oldest}, probe.AwaitingMedian: {0.005, oldest / 2},
		probe.Connecting: {0, connecting}, probe.Unacknowledged: {0, 0}, probe.AnswersUnread: {0, 0},
	} {
		w.put(probe.Metric{Host: host, Process: process, Name: name, Instance: peer}, v[0], v[1])
	}
}

// partly lets half of what api has out be connections to a peer that nobody watches which do
// not come up; what came up gets so old before and since.
func (w chained) partly(before, since float64) {
	w.hop(serverHost, "node", "*:8080", 10, 7, 330, 0, 0, 330, 2)
	for name, v := range map[string][2]float64{
		probe.PeerConnections: {130, 150}, probe.Awaiting: {130, 150}, probe.AwaitingOldest: {2 * before, 2 * since}, probe.AwaitingMedian: {before, since},
		probe.Connecting: {0, 180}, probe.Unacknowledged: {0, 0}, probe.AnswersUnread: {0, 0},
	} {
		w.put(probe.Metric{Host: serverHost, Process: "node", Name: name, Instance: "10.9.9.9:8081"}, v[0], v[1])
	}
}

// triedAgain lets a gateway ask api-1 so many times for each failed request, 0.5 s each, and
// for 2 s in all. What is not accepted there is left to the test.
func (w chained) triedAgain(times float64) {
	w.log.Header.Targets[0].Hosts = []string{serverHost, "api-1"}
	w.hop(serverHost, "node", "*:8080", 10, 7, 200, 0, 0, 200, 2)
	w.peer(serverHost, "node", "10.0.0.3:8081", 200, 200, 0.5, 0)
	w.hop("api-1", "node", "*:8081", 20, 7, 200, 0, 0, 200, 0.5)
	w.log.Series = slices.DeleteFunc(w.log.Series, func(s runlog.Series) bool {
		return s.Metric.Host == "api-1" && s.Metric.Name == probe.NotAccepted
	})
	for _, name := range []string{probe.NetReceived, probe.NetSent} {
		w.seriesOf(probe.Metric{Host: "api-1", Name: name, Instance: "eth0"}, math.NaN(), func(t float64) float64 {
			return 100 * 400 * (max(0, min(t, w.at)) + times*max(0, t-w.at))
		})
	}
}

func unavailable(r *request) {
	r.fault, r.phase, r.status, r.latency = attack.Status, attack.PhaseDone, 503, 2
}

// runs adds how often a second the threads of a process run.
func (w chained) runs(host, process string, pid int32, before, now float64) {
	w.seriesOf(probe.Metric{Host: host, Process: process, PID: pid, Name: probe.Runs}, math.NaN(), func(t float64) float64 {
		return before*min(t, w.at) + now*max(t-w.at, 0)
	})
}

// stuckBefore makes a service of some workers that have read as many requests, and more
// that they have not; it has connections to a database on which nothing is out, and was
// asked and is asked so often a second.
func (w chained) stuckBefore(workers, connections, read, before, now float64) {
	w.hop(serverHost, "nginx", "*:8080", 10, 1, 216, 0, 0, 216, 2)
	w.peer(serverHost, "nginx", "10.0.0.3:8081", 216, 216, 2, 0)
	w.hop("api-1", "api", "*:8081", 20, workers+1, 216, 0, 200, read+200, 6)
	for _, s := range w.log.Series {
		if s.Metric.Host == "api-1" && s.Metric.Name == probe.OwedOldest {
			for i, at := range s.At {
				s.Value[i] = max(0.01, at.Seconds()-w.at)
			}
		}
	}
	w.runs("api-1", "api", 20, 400, 60)
	w.peer("api-1", "api", "10.0.0.4:5432", connections, 0, 0, 0)
	w.seriesOf(probe.Metric{Host: "api-1", Process: "api", Name: probe.Asked, Instance: "10.0.0.4:5432"}, math.NaN(), func(t float64) float64 {
		return before*min(t, w.at) + now*max(t-w.at, 0)
	})
	w.hop("db-1", "postgres", "*:5432", 30, 1, connections, 0, 0, 0, 0)
}

// fails lets every request from the onset on end so.
func (w chained) fails(become func(*request)) {
	w.fail = func(r *request) {
		if r.due >= w.at {
			become(r)
		}
	}
	w.background()
	w.play()
}

func gatewayTimeout(r *request) {
	r.fault, r.phase, r.status, r.latency = attack.Status, attack.PhaseDone, 504, 2
}

func (w chained) finding() diagnose.Finding {
	w.complete()
	return diagnose.Analyze(w.log).Findings[0]
}

// TestChains holds plausible verdicts of a chain of hops against what cannot be.
func TestChains(t *testing.T) {
	drops := func(w chained, host, reason, packet string, port uint16, n int) {
		for i := range n {
			w.event(probe.Event{
				Kind: probe.PacketDrop, At: dur(w.at + 0.1 + float64(i)*0.05), Host: host, Reason: reason, Count: 1,
				Local: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), uint16(40000+i)), Remote: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.3"), port),
				Kernel: &probe.Kernel{Packet: packet},
			})
		}
	}
	for _, test := range []struct {
		name    string
		make    func(w chained)
		refused []string // never claimed
		want    string
		host    string
		claimed bool
	}{
		{
			name: "connections to the next hop do not come up: the proxy that waits for them is not deadlocked",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 200, 0, 0, 200, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 0, 0, 0, 200)
				w.hop("api-1", "api", "*:8081", 20, 8, 0, 0, 0, 0, 0)
				w.fails(gatewayTimeout)
			},
			refused: []string{"deadlock", "upstream-deadlock", "packet-loss", "proxy-queue-limit"},
		},
		{
			name: "the way back is filtered on the inner edge",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 200, 0, 0, 200, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 0, 0, 0, 200)
				w.hop("api-1", "api", "*:8081", 20, 8, 0, 0, 0, 0, 0)
				w.fails(gatewayTimeout)
				drops(w, serverHost, "IP_RPFILTER", "SYN-ACK", 8081, 300)
			},
			want: "reverse-path-filter",
		},
		{
			name: "a filter on the inner host drops all SYNs, and haproxy says 503 when its tries are used up: it waits for no place",
			make: func(w chained) {
				w.hop(serverHost, "haproxy", "*:8080", 10, 1, 200, 0, 0, 200, 2)
				w.peer(serverHost, "haproxy", "10.0.0.3:8081", 0, 0, 0, 200)
				w.hop("api-1", "nginx", "*:8081", 20, 8, 0, 0, 0, 0, 0)
				w.fails(answered(503, 2))
				drops(w, "api-1", "NETFILTER_DROP", "SYN", 8081, 300)
			},
			want: "silent-firewall", refused: []string{"proxy-queue-limit", "upstream-connection-limit", "server-connection-limit"},
		},
		{
			name: "few connections to the database, dropped by a filter: many requests wait for them",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 200, 0, 0, 200, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 200, 200, 2, 0)
				w.hop("api-1", "api", "*:8081", 20, 8, 200, 0, 184, 200, 6)
				w.peer("api-1", "api", "10.0.0.4:5432", 16, 16, 6, 0)
				w.hop("db-1", "postgres", "*:5432", 30, 16, 16, 0, 0, 0, 0)
				w.fails(gatewayTimeout)
				drops(w, "api-1", "NETFILTER_DROP", "segment", 5432, 60)
			},
			want: "silent-firewall", refused: []string{"slow-dependency", "packet-loss"},
		},
		{
			name: "sixteen ask the database, and one of them stands there, for a moment: the others have not arrived",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 160, 0, 0, 160, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 160, 160, 2, 0)
				w.hop("api-1", "api", "*:8081", 20, 16, 370, 0, 350, 370, 6)
				w.peer("api-1", "api", "10.0.0.4:5432", 16, 16, 0.5, 0)
				w.hop("db-1", "postgres", "*:5432", 30, 16, 16, 0, 0, 1, 0.1)
				w.fails(gatewayTimeout)
			},
			want: "packet-loss", refused: []string{"slow-dependency", "upstream-client-timeout", "upstream-pool-exhausted"},
		},
		{
			name: "a service has lost its connection to the store, which is well and is asked by nobody",
			make: func(w chained) {
				w.hop(serverHost, "haproxy", "*:8080", 10, 1, 200, 0, 0, 200, 2)
				w.peer(serverHost, "haproxy", "10.0.0.3:8081", 200, 200, 2, 0)
				w.hop("api-1", "node", "*:8081", 20, 8, 200, 0, 0, 200, 3)
				w.peer("api-1", "node", "10.0.0.4:5432", 0, 0, 0, 0)
				w.hop("db-1", "redis-server", "*:5432", 30, 4, 0, 0, 0, 0, 0)
				w.fails(gatewayTimeout)
			},
			want: "dependency-error", host: "db-1", refused: []string{"slow-dependency", "upstream-deadlock", "deadlock", "proxy-queue-limit"},
		},
		{
			name: "its resolver answers nothing any more, and it has lost its connection to the store: it does not know where that is",
			make: func(w chained) {
				w.hop(serverHost, "haproxy", "*:8080", 10, 1, 200, 0, 0, 200, 2)
				w.peer(serverHost, "haproxy", "10.0.0.3:8081", 200, 200, 2, 0)
				w.hop("api-1", "node", "*:8081", 20, 8, 200, 0, 0, 200, 3)
				w.peer("api-1", "node", "10.0.0.4:5432", 0, 0, 0, 0)
				w.hop("db-1", "redis-server", "*:5432", 30, 4, 0, 0, 0, 0, 0)
				w.fails(gatewayTimeout)
				for at := w.at; at < w.length; at++ {
					w.event(probe.Event{
						Kind: probe.LogLine, At: dur(at), Source: probe.Source{Host: "api-1", Name: "replies"}, Host: "api-1", Process: "dns", Count: 1,
						Reason: "lookup hooks.partner.example: no answer from the name server in 1 s",
						Line:   &probe.Line{File: "replies", Level: "error", Peer: "10.9.9.53:53", Format: "reply dns"},
					})
				}
			},
			want: "dns", host: "api-1", refused: []string{"dependency-error", "slow-dependency", "upstream-deadlock"},
		},
		{
			name: "a router on the way has stopped to pass packets on: the address that is asked is there",
			make: func(w chained) {
				w.log.Header.Hosts = append(w.log.Header.Hosts, runlog.Host{Name: "router", Addrs: []string{"10.0.0.254"}})
				w.hop(serverHost, "haproxy", "*:8080", 10, 1, 200, 0, 0, 200, 2)
				w.peer(serverHost, "haproxy", "10.0.0.3:8081", 0, 0, 0, 200)
				w.hop("api-1", "api", "*:8081", 20, 8, 0, 0, 0, 0, 0)
				w.fails(answered(503, 2))
				drops(w, "router", "IP_INADDRERRORS", "SYN", 8081, 300)
			},
			want: "network-outage", refused: []string{"address-unreachable", "proxy-queue-limit"},
		},
		{
			name: "a filter cuts the replica off from its master: who reads there what was just written, does not find it",
			make: func(w chained) {
				w.threeHops("nginx", "gunicorn", "redis-server")
				w.fails(answered(404, 0.004))
				w.replies("api-1", "http", "10.0.0.3:8081", 404, "404 Not Found", 1)
				for at := w.at; at < w.length; at++ {
					w.event(probe.Event{
						Kind: probe.PacketDrop, At: dur(at), Host: "db-1", Reason: "NETFILTER_DROP", Count: 4,
						Local: netip.MustParseAddrPort("10.0.0.4:44502"), Remote: netip.MustParseAddrPort("10.0.0.3:6379"), Kernel: &probe.Kernel{Packet: "segment"},
					})
				}
			},
			refused: []string{"upstream-application-error", "application-error", "silent-firewall"}, // a candidate: what it cut off is no connection of the target
		},
		{
			name: "the places of a service are all held by requests that ask it again, by way of the proxy before it",
			make: func(w chained) {
				w.hop(serverHost, "haproxy", "*:8080", 10, 1, 200, 0, 0, 200, 4)
				w.peer(serverHost, "haproxy", "10.0.0.3:8081", 200, 200, 4, 0)
				w.hop("api-1", "php-fpm", "*:8081", 20, 8, 8, 200, 0, 8, 7)
				w.peer("api-1", "php-fpm", "10.0.0.2:8080", 8, 8, 7, 0)
				w.fails(gatewayTimeout)
			},
			want: "upstream-deadlock", host: "api-1", refused: []string{"upstream-threads", "upstream-process-paused", "slow-dependency"}, claimed: true,
		},
		{
			name: "one thread, forty connections, and the others are not accepted: a number of connections",
			make: func(w chained) {
				w.hop(serverHost, "haproxy", "*:8080", 10, 1, 80, 40, 0, 40, 0.3)
				w.peer(serverHost, "haproxy", "10.0.0.3:8081", 40, 39, 0.03, 0)
				w.hop("api-1", "api", "*:8081", 20, 8, 40, 0, 0, 40, 0.1)
				w.fails(func(r *request) { timeout(r, attack.PhaseAwait, 5) })
			},
			want: "server-connection-limit", refused: []string{"listen-backlog", "server-threads", "client-timeout"},
		},
		{
			name: "two workers, two connections, and the others are not accepted: the workers",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 200, 0, 0, 200, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 200, 200, 2, 0)
				w.hop("api-1", "gunicorn", "*:8081", 20, 2, 200, 198, 0, 2, 4)
				w.fails(gatewayTimeout)
			},
			want: "upstream-threads", host: "api-1", refused: []string{"upstream-listen-backlog", "proxy-queue-limit", "deadlock"},
		},
		{
			name: "a process beside the chain ended just then: nobody who only waits is accused",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 200, 0, 0, 200, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 200, 200, 2, 0)
				w.hop("api-1", "api", "*:8081", 20, 8, 200, 0, 0, 200, 2)
				w.peer("api-1", "api", "10.0.0.4:5672", 200, 200, 2, 0)
				w.hop("db-1", "broker", "*:5672", 30, 4, 200, 0, 0, 200, 2.5)
				w.log.Header.Targets[0].Hosts = append(w.log.Header.Targets[0].Hosts, "worker-1")
				w.log.Header.Hosts = append(w.log.Header.Hosts, runlog.Host{Name: "worker-1", Addrs: []string{"10.0.0.5"}})
				w.put(probe.Metric{Host: "worker-1", Process: "consumer", PID: 77, Name: probe.OpenFiles}, 10, 10)
				w.event(probe.Event{Kind: probe.ProcessExit, At: dur(w.at - 0.2), Host: "worker-1", Process: "consumer", PID: 77, Reason: "killed by SIGKILL"})
				w.fails(gatewayTimeout)
			},
			refused: []string{"slow-dependency", "deadlock", "upstream-deadlock", "proxy-queue-limit"}, host: "worker-1",
		},
		{
			name: "connections do not come up, and a few old ones lie at the other end: they have not arrived",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 100, 0, 0, 100, 1)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 0, 0, 0, 100)
				w.hop("api-1", "api", "*:8081", 20, 8, 3, 0, 0, 3, 9)
				w.fails(gatewayTimeout)
			},
			refused: []string{"deadlock", "upstream-deadlock", "slow-dependency"}, want: "address-unreachable",
		},
		{
			name: "connections to an address that nobody watches do not come up: nobody there is slow",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 100, 0, 0, 100, 2)
				w.peer(serverHost, "nginx", "10.9.9.9:8081", 3, 3, 2, 97)
				w.put(probe.Metric{Host: serverHost, Process: "nginx", Name: probe.Unacknowledged, Instance: "10.9.9.9:8081"}, 0, 3)
				w.fails(gatewayTimeout)
			},
			refused: []string{"slow-dependency", "packet-loss", "deadlock"}, want: "address-unreachable",
		},
		{
			name: "most new connections to the next hop do not come up, those that do are answered as ever: nobody there is slow",
			make: func(w chained) {
				w.partly(0.3, 0.3)
				w.fails(gatewayTimeout)
			},
			refused: []string{"slow-dependency", "packet-loss", "network-outage", "deadlock", "pool-exhausted", "address-unreachable", "nat-ports"},
		},
		{
			name: "so, and a router on the way refused to translate connections, for failed requests alone",
			make: func(w chained) {
				w.partly(0.3, 0.3)
				w.log.Header.Hosts = append(w.log.Header.Hosts, runlog.Host{Name: "router", Addrs: []string{"10.0.0.254"}})
				w.log.Header.Targets[0].Hosts = []string{serverHost, "router"}
				w.seriesOf(probe.Metric{Host: "router", Name: probe.ConntrackInsertFail}, math.NaN(), func(t float64) float64 { return 300 * max(t-w.at, 0) })
				w.seriesOf(probe.Metric{Host: "router", Name: probe.Conntrack}, 262144, func(t float64) float64 { return 160 })
				w.fails(gatewayTimeout)
			},
			want: "nat-ports", host: "router", refused: []string{"slow-dependency", "packet-loss"},
		},
		{
			name: "most new connections do not come up, and the others are answered ever later: it is slow, and its queue is full",
			make: func(w chained) {
				w.partly(0.3, 3)
				w.fails(gatewayTimeout)
			},
			want: "slow-dependency",
		},
		{
			name: "a pause is over, and all is given up and asked for again, four times each: those who try again keep it down",
			make: func(w chained) {
				w.triedAgain(4)
				w.seriesOf(probe.Metric{Host: "api-1", Process: "node", Name: probe.NotAccepted, Instance: "*:8081"}, math.NaN(), func(t float64) float64 {
					if t >= w.at && t < w.at+1.5 {
						return 190
					}
					return 0
				})
				w.fails(unavailable)
			},
			want: "upstream-retry-storm", host: "api-1", refused: []string{"upstream-pool-exhausted", "upstream-listen-backlog", "slow-dependency", "upstream-deadlock"},
		},
		{
			name: "so, and nothing ever stood before it: it is slow itself, and trying again only follows from that",
			make: func(w chained) {
				w.triedAgain(4)
				w.put(probe.Metric{Host: "api-1", Process: "node", Name: probe.NotAccepted, Instance: "*:8081"}, 0, 0)
				w.fails(unavailable)
			},
			refused: []string{"retry-storm", "upstream-retry-storm"},
		},
		{
			name: "a pause is over, and each is asked once, by calls one after the other: nobody tries again",
			make: func(w chained) {
				w.triedAgain(1)
				w.seriesOf(probe.Metric{Host: "api-1", Process: "node", Name: probe.NotAccepted, Instance: "*:8081"}, math.NaN(), func(t float64) float64 {
					if t >= w.at && t < w.at+1.5 {
						return 190
					}
					return 0
				})
				w.fails(unavailable)
			},
			refused: []string{"retry-storm", "upstream-retry-storm"},
		},
		{
			name: "one of 48 threads runs, and none of the others reads what came: the runtime holds them",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 119, 0, 0, 119, 0.8)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 119, 119, 0.8, 0)
				w.hop("api-1", "java", "*:8081", 20, 48, 84, 52, 31, 32, 0.64)
				w.put(probe.Metric{Host: "api-1", Process: "java", PID: 20, Name: probe.ThreadsRunning}, 0, 1)
				w.fails(gatewayTimeout)
			},
			want: "upstream-process-paused", host: "api-1", refused: []string{"upstream-cpu-shedding", "upstream-threads"},
		},
		{
			name: "the one thread of seven that serves runs all the time, and has not read what came: it computes",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 119, 0, 0, 119, 0.8)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 119, 119, 0.8, 0)
				w.hop("api-1", "node", "*:8081", 20, 7, 84, 52, 31, 32, 0.64)
				w.put(probe.Metric{Host: "api-1", Process: "node", PID: 20, Name: probe.ThreadsRunning}, 0, 1)
				w.fails(gatewayTimeout)
			},
			refused: []string{"upstream-process-paused", "upstream-threads"},
		},
		{
			name: "an instance has another address now, and its kernel says so of what comes to the old one",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 200, 0, 0, 200, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 0, 0, 0, 200)
				w.hop("api-1", "api", "*:8081", 20, 8, 0, 0, 0, 0, 0)
				w.fails(gatewayTimeout)
				drops(w, "api-1", "IP_INADDRERRORS", "SYN", 8081, 31)
			},
			refused: []string{"slow-dependency", "network-outage", "packet-loss"}, want: "address-unreachable",
		},
		{
			name: "workers wait for the rest of requests that callers do not send: nothing is paused",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 100, 0, 0, 100, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 100, 100, 2, 0)
				w.hop("api-1", "api", "*:8081", 20, 5, 104, 100, 0, 4, 9)
				w.put(probe.Metric{Host: "api-1", Process: "api", Name: probe.Incomplete, Instance: "*:8081"}, 0, 4)
				w.runs("api-1", "api", 20, 400, 1)
				w.fails(gatewayTimeout)
			},
			refused: []string{"upstream-process-paused", "slow-dependency", "upstream-deadlock"}, want: "upstream-threads", host: "api-1",
		},
		{
			name: "connections of a pool rest while those inside wait for one: they were taken, and not given back",
			make: func(w chained) {
				w.stuckBefore(16, 8, 16, 150, 0)
				w.fails(gatewayTimeout)
			},
			refused: []string{"upstream-threads", "upstream-deadlock", "slow-dependency", "upstream-process-paused"}, want: "upstream-pool-exhausted", host: "api-1",
		},
		{
			name: "so, and the database says of its sessions that they are idle in a transaction",
			make: func(w chained) {
				w.stuckBefore(16, 8, 16, 150, 0)
				w.put(probe.Metric{Host: "db-1", Process: "postgres", Name: probe.Sessions, Instance: "idle in transaction"}, 0, 8)
				w.fails(gatewayTimeout)
			},
			claimed: true, want: "upstream-pool-exhausted", host: "api-1",
		},
		{
			name: "each worker has a connection of its own, which rests while none of them ends: busy with something else, or locked",
			make: func(w chained) {
				w.stuckBefore(16, 16, 16, 150, 0)
				w.fails(gatewayTimeout)
			},
			refused: []string{"upstream-pool-exhausted", "upstream-deadlock", "upstream-threads"}, host: "api-1",
		},
		{
			name: "fewer connections than workers, hardly used, and some are asked on now and then: it may be either",
			make: func(w chained) {
				w.stuckBefore(16, 8, 16, 150, 12)
				w.fails(gatewayTimeout)
			},
			refused: []string{"upstream-threads", "upstream-pool-exhausted", "upstream-deadlock"}, host: "api-1",
		},
		{
			name: "workers that are all busy, and ask as often as ever",
			make: func(w chained) {
				w.stuckBefore(16, 8, 16, 150, 149)
				w.fails(gatewayTimeout)
			},
			refused: []string{"upstream-pool-exhausted"}, claimed: true, want: "upstream-threads", host: "api-1",
		},
		{
			name: "a process that does not run, and has read nothing of what came",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 100, 0, 0, 100, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 100, 100, 2, 0)
				w.hop("api-1", "api", "*:8081", 20, 5, 104, 4, 96, 100, 2)
				w.put(probe.Metric{Host: "api-1", Process: "api", Name: probe.Incomplete, Instance: "*:8081"}, 0, 0)
				w.runs("api-1", "api", 20, 400, 0)
				w.fails(gatewayTimeout)
			},
			refused: []string{"upstream-threads", "slow-dependency"}, want: "upstream-process-paused", host: "api-1",
		},
		{
			name: "most of what is out was acknowledged, and little was seen at the other end: no network lost it",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 100, 0, 0, 100, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 100, 100, 2, 0)
				w.hop("api-1", "api", "*:8081", 20, 24, 24, 0, 0, 2, 2)
				w.fails(gatewayTimeout)
			},
			refused: []string{"network-outage", "packet-loss", "silent-firewall"},
		},
		{
			name: "errors of its own from a service whose threads wait for the processor: it had it to answer",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 50, 0, 0, 50, 1.5)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 50, 50, 1.5, 0)
				w.hop("api-1", "api", "*:8081", 20, 8, 50, 0, 0, 50, 1.5)
				w.put(probe.Metric{Host: "api-1", Process: "api", PID: 20, Name: probe.ThreadsRunning}, 0, 1)
				w.fails(func(r *request) {
					r.fault, r.phase, r.status, r.latency = attack.Status, attack.PhaseDone, 500, 1.5
				})
			},
			refused: []string{"upstream-cpu-shedding", "server-cpu-shedding"},
		},
		{
			name: "a worker's own memory of time: an application that stands is no dependency",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 200, 0, 0, 200, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 200, 200, 2, 0)
				w.hop("api-1", "api", "*:8081", 20, 400, 200, 0, 0, 200, 2)
				w.fails(gatewayTimeout)
			},
			refused: []string{"slow-dependency", "deadlock", "upstream-deadlock", "client-timeout", "upstream-client-timeout"},
		},
		{
			name: "one session of many says that it waits: not what they all wait for",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 200, 0, 0, 200, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 200, 200, 2, 0)
				w.hop("api-1", "api", "*:8081", 20, 8, 200, 0, 184, 200, 6)
				w.peer("api-1", "api", "10.0.0.4:5432", 16, 16, 6, 0)
				w.hop("db-1", "postgres", "*:5432", 30, 16, 16, 0, 0, 16, 6)
				w.put(probe.Metric{Host: "db-1", Process: "postgres", Name: probe.Sessions, Instance: "waiting"}, 0, 1)
				w.fails(gatewayTimeout)
			},
			refused: []string{"upstream-deadlock"},
		},
		{
			name: "a generator that sends late makes no statuses",
			make: func(w chained) {
				w.hop(serverHost, "nginx", "*:8080", 10, 1, 200, 0, 0, 200, 2)
				w.peer(serverHost, "nginx", "10.0.0.3:8081", 200, 200, 2, 0)
				w.hop("api-1", "gunicorn", "*:8081", 20, 2, 200, 198, 0, 2, 4)
				w.fails(gatewayTimeout)
				for i := range w.windows {
					w.windows[i].Lag = attack.Histogram{{Value: 80_000, Count: 50}}
				}
			},
			want: "upstream-threads", refused: []string{"client-cpu"},
		},
		{
			name: "refused at once, all of it, for a while: no queue does that",
			make: func(w chained) {
				w.hop(serverHost, "haproxy", "*:8080", 10, 1, 10, 0, 0, 1, 0)
				w.peer(serverHost, "haproxy", "10.0.0.3:8081", 0, 0, 0, 0)
				w.hop("api-1", "api", "*:8081", 20, 8, 0, 0, 0, 0, 0)
				w.fails(func(r *request) {
					r.fault, r.phase, r.status, r.latency = attack.Status, attack.PhaseDone, 503, 0.0004
				})
			},
			refused: []string{"proxy-queue-limit", "proxy-ephemeral-ports"},
		},
	} {
		for seed := range uint64(2) {
			w := newChained(seed)
			test.make(w)
			f := w.finding()
			if (f.Verdict == diagnose.Explains || f.Verdict == diagnose.GeneratorLimited) && slices.Contains(test.refused, f.Cause) {
				t.Errorf("%s, seed %d: claims %s: %s", test.name, seed, f.Cause, f.Summary)
			}
			if f.Verdict == diagnose.Healthy || f.Verdict == diagnose.Degraded {
				t.Errorf("%s, seed %d: called %s", test.name, seed, f.Verdict)
			}
			if test.claimed && f.Verdict != diagnose.Explains {
				t.Errorf("%s, seed %d: claims nothing: %s %s", test.name, seed, f.Verdict, f.Cause)
			}
			if test.want != "" && f.Cause != test.want || test.host != "" && f.Host != test.host {
				t.Errorf("%s, seed %d: %s %s on %q, want %s: %s", test.name, seed, f.Verdict, f.Cause, f.Host, test.want, f.Summary)
			}
		}
	}
}
