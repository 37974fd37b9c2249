package hops_test

import (
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/runlog"
)

// world makes a run log of what samplers saw.
type world struct{ log runlog.Log }

func (w *world) host(name string, addrs ...string) {
	w.log.Header.Hosts = append(w.log.Header.Hosts, runlog.Host{Name: name, Addrs: append(addrs, "127.0.0.1")})
}

func (w *world) see(host, process, metric, instance string, pid int32, v float64) {
	w.log.Series = append(w.log.Series, runlog.Series{
		Metric: probe.Metric{Host: host, Process: process, PID: pid, Name: metric, Instance: instance},
		At:     []time.Duration{time.Second}, Value: []float64{v}, Limit: []float64{0},
	})
}

func (w *world) service(host, process, listener string, pid int32, callers ...string) {
	w.see(host, process, probe.Inbound, listener, 0, float64(len(callers)))
	w.see(host, process, probe.Serving, listener, pid, 0)
	for _, c := range callers {
		w.see(host, process, probe.Callers, listener+" "+c, 0, 1)
	}
}

func (w *world) asks(host, process, peer string) {
	w.see(host, process, probe.PeerConnections, peer, 0, 3)
}

// unwatch takes a host away, with all that its samplers saw.
func (w *world) unwatch(host string) {
	w.log.Header.Hosts = slices.DeleteFunc(w.log.Header.Hosts, func(h runlog.Host) bool { return h.Name == host })
	w.log.Series = slices.DeleteFunc(w.log.Series, func(s runlog.Series) bool { return s.Metric.Host == host })
}

func chain(t *testing.T, w *world, named []string, addrs ...string) string {
	t.Helper()
	var at []netip.AddrPort
	for _, a := range addrs {
		at = append(at, netip.MustParseAddrPort(a))
	}
	h := hops.Read(&w.log).Chain("local", at, named)
	if h == nil {
		return ""
	}
	return h.Line("")
}

func three() *world {
	w := &world{}
	w.host("local", "10.0.0.1")
	w.host("lb", "10.0.0.2")
	w.host("app-1", "10.0.0.3")
	w.host("app-2", "10.0.0.4")
	w.host("db", "10.0.0.5")
	w.asks("local", "rampload", "10.0.0.2:80")
	w.service("lb", "haproxy", "*:80", 10, "10.0.0.1")
	w.asks("lb", "haproxy", "10.0.0.3:8080")
	w.asks("lb", "haproxy", "10.0.0.4:8080")
	w.service("app-1", "payments", "*:8080", 20, "10.0.0.2")
	w.service("app-2", "payments", "*:8080", 21, "10.0.0.2")
	w.asks("app-1", "payments", "10.0.0.5:5432")
	w.asks("app-2", "payments", "10.0.0.5:5432")
	w.service("db", "postgres", "*:5432", 30, "10.0.0.3", "10.0.0.4")
	return w
}

// A server that listens in one process and asks in another of another name is one service.
func TestChildrenAreOfTheirService(t *testing.T) {
	log := &runlog.Log{Header: runlog.Header{Hosts: []runlog.Host{{Name: "edge", Addrs: []string{"10.0.0.2"}}, {Name: "origin", Addrs: []string{"10.0.0.3"}}}}}
	add := func(host, process string, pid int32, name, instance string) {
		log.Series = append(log.Series, runlog.Series{
			Metric: probe.Metric{Host: host, Process: process, PID: pid, Name: name, Instance: instance}, At: []time.Duration{time.Second, 2 * time.Second}, Value: []float64{3, 3},
		})
	}
	add("edge", "", 0, probe.Inbound, "*:80")
	add("edge", "varnishd", 10, probe.Serving, "*:80")
	add("edge", "cache-main", 0, probe.PeerConnections, "10.0.0.3:9292")
	add("origin", "", 0, probe.Inbound, "*:9292")
	add("origin", "puma", 20, probe.Serving, "*:9292")
	g := hops.Read(log)
	if i := slices.IndexFunc(g.Peers, func(p *hops.Peer) bool { return p.Host == "edge" }); i < 0 || g.Peers[i].Process != "varnishd" {
		t.Fatalf("peers %+v", g.Peers)
	}
	add("edge", "", 0, probe.Inbound, "*:81")
	add("edge", "admin", 11, probe.Serving, "*:81")
	g = hops.Read(log)
	if i := slices.IndexFunc(g.Peers, func(p *hops.Peer) bool { return p.Host == "edge" }); i < 0 || g.Peers[i].Process != "cache-main" {
		t.Fatalf("of two services: %+v", g.Peers)
	}
}

func TestChain(t *testing.T) {
	const whole = "client -> haproxy on lb:80 -> payments on app-1:8080 (2 of 2 instances) -> postgres on db:5432"
	for _, c := range []struct {
		name string
		make func() *world
		addr string
		want string
	}{
		{"by address alone", three, "10.0.0.2:80", whole},
		{"nobody listens there", three, "10.0.0.9:80", ""},
		{"a virtual address, translated on the way", func() *world {
			w := three()
			w.see("lb", "", probe.Translated, "10.0.0.100:80 10.0.0.2:80", 0, 4)
			return w
		}, "10.0.0.100:80", whole},
		{"a virtual address, by who has connections from here", func() *world {
			w := three()
			w.log.Series = w.log.Series[1:] // nothing asks the proxy by its own address
			w.asks("local", "rampload", "10.0.0.100:80")
			return w
		}, "10.0.0.100:80", whole},
		{"somebody behind whom nobody watches", func() *world {
			w := three()
			w.asks("app-1", "payments", "192.0.2.7:443")
			return w
		}, "10.0.0.2:80", "client -> haproxy on lb:80 -> payments on app-1:8080 (2 of 2 instances) -> postgres on db:5432, 192.0.2.7:443 (not watched)"},
		{"nobody watches the first hop, which asks somebody who is watched", func() *world {
			w := three()
			w.unwatch("lb")
			return w
		}, "10.0.0.2:80", "client -> 10.0.0.2:80 (not watched) -> payments on app-1:8080 (2 of 2 instances) -> postgres on db:5432"},
		{"nobody watches a hop in the middle", func() *world {
			w := three()
			w.unwatch("app-1")
			w.unwatch("app-2")
			return w
		}, "10.0.0.2:80", "client -> haproxy on lb:80 -> 10.0.0.3:8080 (not watched), 10.0.0.4:8080 (not watched) -> postgres on db:5432"},
		{"two services on one host, over loopback", func() *world {
			w := three()
			w.asks("db", "postgres", "127.0.0.1:6379")
			w.service("db", "redis", "127.0.0.1:6379", 31, "127.0.0.1")
			return w
		}, "10.0.0.2:80", whole + " -> redis on db:6379"},
		{"who asks itself is no hop", func() *world {
			w := three()
			w.asks("db", "postgres", "10.0.0.5:5432")
			return w
		}, "10.0.0.2:80", whole},
		{"a pair of sockets of one process is no hop, on whatever port", func() *world {
			w := three()
			w.asks("db", "postgres", "127.0.0.1:40123")
			w.asks("app-1", "payments", "127.0.0.1:15001") // net.ipv4.ip_local_port_range begins at 1024
			return w
		}, "10.0.0.2:80", whole},
		{"a circle ends", func() *world {
			w := three()
			w.asks("db", "postgres", "10.0.0.2:80")
			return w
		}, "10.0.0.2:80", whole},
	} {
		if got := chain(t, c.make(), nil, c.addr); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

// Connections that were made before anybody looked who holds them are those of the one
// who had others to the same peer.
func TestConnectionsOfNobody(t *testing.T) {
	w := three()
	w.asks("app-1", "", "10.0.0.5:5432")
	for _, p := range hops.Read(&w.log).Peers {
		if p.Process == "" {
			t.Errorf("%s of nobody is left over", p.Addr)
		}
		if p.Host == "app-1" && p.Tracks[probe.PeerConnections].Value[0] != 6 {
			t.Errorf("connections of one look are %v, want them added up", p.Tracks[probe.PeerConnections])
		}
	}
}

// Connections of nobody to one instance of a service are those of the only process that asks
// its others: without them that instance would be no part of the way.
func TestInstanceOfNobody(t *testing.T) {
	for _, c := range []struct {
		name, want string
		more       func(w *world)
	}{
		{"one asks the others", "client -> haproxy on lb:80 -> payments on app-1:8080 (2 of 2 instances) -> postgres on db:5432", func(*world) {}},
		{"two ask the others", "client -> haproxy on lb:80 -> payments on app-1:8080 (1 of 2 instances) -> postgres on db:5432", func(w *world) { w.asks("lb", "curl", "10.0.0.3:8080") }},
	} {
		w := three()
		for i, s := range w.log.Series {
			if s.Metric.Host == "lb" && s.Metric.Instance == "10.0.0.4:8080" {
				w.log.Series[i].Metric.Process = probe.Nobody
			}
		}
		c.more(w)
		if got := chain(t, w, nil, "10.0.0.2:80"); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// The way names the instance that fails, and none where no single one does.
func TestFailingInstance(t *testing.T) {
	w := three()
	h := hops.Read(&w.log).Chain("local", []netip.AddrPort{netip.MustParseAddrPort("10.0.0.2:80")}, nil)
	for host, want := range map[string]string{
		"":      "client -> haproxy on lb:80 -> payments on app-1:8080 (2 of 2 instances) -> postgres on db:5432",
		"db":    "client -> haproxy on lb:80 -> payments on app-1:8080 (2 of 2 instances) -> postgres on db:5432",
		"app-1": "client -> haproxy on lb:80 -> payments on app-1:8080 (one of 2 instances) -> postgres on db:5432",
		"app-2": "client -> haproxy on lb:80 -> payments on app-2:8080 (one of 2 instances) -> postgres on db:5432",
	} {
		if got := h.Line(host); got != want {
			t.Errorf("%q: got %q, want %q", host, got, want)
		}
	}
}

func TestParts(t *testing.T) {
	w := &world{}
	w.host("local", "10.0.0.1")
	w.log.Header.Hosts = append(w.log.Header.Hosts, runlog.Host{Name: "payments", SameAs: "local", Addrs: []string{"10.0.0.1", "127.0.0.1"}})
	w.service("local", "payd", "*:8080", 20, "127.0.0.1")
	w.see("payments", "payd", probe.OpenFiles, "", 20, 7)
	if got, want := chain(t, w, []string{"payments"}, "127.0.0.1:8080"), "client -> payd on payments:8080"; got != want {
		t.Errorf("got %q, want %q: the part of the machine is whose process it is", got, want)
	}
}

func TestWithoutSockets(t *testing.T) {
	if g := hops.Read(&runlog.Log{}); g != nil {
		t.Errorf("a log without sockets gives %+v", g)
	}
}

func TestTrackNear(t *testing.T) {
	track := hops.Track{At: []float64{1, 2, 4}, Value: []float64{10, 20, 40}}
	for at, want := range map[float64]float64{0.4: 10, 1.6: 20, 4.9: 40} {
		if got := track.Near(at); got != want {
			t.Errorf("near %v: %v, want %v", at, got, want)
		}
	}
	for _, at := range []float64{-1, 5.1} {
		if got := track.Near(at); !math.IsNaN(got) {
			t.Errorf("near %v: %v, want none", at, got)
		}
	}
}
