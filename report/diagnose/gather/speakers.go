package gather

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/answers"

	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/says"
	"github.com/rampload/rampload/report/diagnose/spoken"
)

// ofStoreProtocol reports whether a line is an answer in the protocol of a store. Stores speak about
// themselves in such answers.
func ofStoreProtocol(l *spoken.Line) bool {
	return l.Replied() && l.Format != "reply http" && l.Format != "reply dns"
}

// ofStore reports whether a line is of the log of a database, another store or a broker.
func ofStore(l *spoken.Line) bool {
	if l.Format == "postgresql" || l.Format == "redis" {
		return true
	}
	return IsStore(l.Service) || isBroker(l.Service)
}

// isBroker reports whether a log or process is that of a message broker, by its name.
func isBroker(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"rabbit", "beam.smp", "kafka", "nats-server", "activemq", "artemis", "pulsar"}, func(s string) bool { return strings.Contains(name, s) })
}

// ofCaller reports whether the peer that a line names is a caller of the writer, and not a hop that the
// writer asks. Such a line says what the writer told its caller.
func ofCaller(c *evidence.Case, l *spoken.Line) bool {
	at, ok := Speaker(c, l)
	if !ok || at == 0 || !l.Peer.Addr.IsValid() {
		return false
	}
	host := c.Run.HostOf(l.Peer.Addr.Addr())
	return host != "" && !c.Hops[at].Has(host) && c.Hops[at-1].Has(host) && (at+1 >= len(c.Hops) || !c.Hops[at+1].Has(host))
}

// IsStore reports whether a process is a database, a cache or another store by its name.
func IsStore(process string) bool {
	name := strings.ToLower(process)
	if slices.Contains([]string{"etcd", "consul", "minio", "couchdb", "influxd"}, name) {
		return true // short names, which may be part of others' names, must match whole
	}
	return slices.ContainsFunc([]string{"postgres", "redis", "mysql", "maria", "mongo", "memcached", "valkey", "keydb", "dragonfly", "elastic", "opensearch", "cassandra", "scylla", "zookeeper", "clickhouse", "cockroach"}, func(s string) bool { return strings.Contains(name, s) })
}

// LocksUnsaid reports whether a process is a database with locks that does not show in the titles of
// its sessions which of them wait, by its name.
func LocksUnsaid(process string) bool {
	name := strings.ToLower(process)
	return slices.ContainsFunc([]string{"mysqld", "mariadbd", "mongod", "sqlservr", "oracle"}, func(s string) bool { return strings.HasPrefix(name, s) })
}

// Keeps reports whether a hop is a store or a broker, which asks no other hop to answer its callers.
// Where no service was seen there, a process of the host is enough.
func Keeps(c *evidence.Case, h evidence.Hop) bool {
	keeps := func(process string) bool { return process != "" && (IsStore(process) || isBroker(process)) }
	if h.Station != nil {
		return keeps(h.Process())
	}
	return slices.ContainsFunc(c.Run.Resources, func(r *evidence.Resource) bool { return h.Has(r.Metric.Host) && keeps(r.Metric.Process) })
}

// InMemory reports whether a process is an in-memory store, by its name. When it ends, its contents are
// lost, unless it is configured to keep a copy on disk.
func InMemory(process string) bool {
	name := strings.ToLower(process)
	tool := slices.ContainsFunc([]string{"-cli", "-benchmark", "-sentinel", "exporter"}, func(s string) bool { return strings.HasSuffix(name, s) })
	return !tool && slices.ContainsFunc([]string{"memcached", "redis", "valkey", "keydb", "dragonfly", "hazelcast", "ignite", "infinispan"}, func(s string) bool { return strings.HasPrefix(name, s) })
}

// IsPooler reports whether a process is a pooler of database connections, by its name.
func IsPooler(process string) bool {
	name := strings.ToLower(process)
	return slices.ContainsFunc([]string{"pgbouncer", "pgpool", "odyssey", "pgcat", "proxysql", "maxscale"}, func(s string) bool { return strings.HasPrefix(name, s) })
}

// IsNameServer reports whether a process is a name server or resolver, by its name.
func IsNameServer(process string) bool {
	name := strings.ToLower(process)
	return slices.ContainsFunc([]string{"dnsmasq", "named", "unbound", "coredns", "systemd-resolve", "pdns", "kresd"}, func(s string) bool { return strings.HasPrefix(name, s) })
}

// About returns the index of the hop that a statement is about: the one that it names, else its writer
// or the hop behind the writer. ok is false where that hop is not known.
func About(c *evidence.Case, h evidence.Heard) (index int, ok bool) {
	if h.Line != nil && h.Line.Replied() {
		index, ok = Replier(c, h.Line.Line)
		if ok && h.Meaning.Own() && IsStore(c.Hops[index].Process()) {
			return index, true // such a statement is about its writer, whatever the protocol
		}
		if ok && h.Of == says.Behind {
			index++
		} else if by, own := ownPage(answers.Answer{Says: h.Line.Text}); ok && own {
			for _, x := range c.Hops[index:] { // the writer may have passed on the page of a hop behind it
				if strings.HasPrefix(strings.ToLower(c.ProxyProcess(x)), by) {
					return behindClear(c, h, x.Index), true
				}
			}
		}
		return behindClear(c, h, index), ok && index < len(c.Hops)
	}
	if at, found := hopOf(c, h.Peer); found && h.Of == says.Behind {
		return at, true
	}
	if h.Line == nil && !c.Language().OverHTTP() {
		return len(c.Hops) - 1, true // nothing was passed on, so the last hop speaks about itself
	}
	if h.Line == nil {
		index = behindClear(c, h, WriterOf(c, h.By))
	} else if index, ok = Speaker(c, h.Line.Line); !ok {
		return index, false
	}
	if h.Of == says.Behind {
		index++
	}
	return index, index < len(c.Hops)
}

// behindClear returns the index of the hop that an answer about a client's certificate is about. A hop
// that is asked without TLS sees no certificate, so it passed the answer of another hop on.
func behindClear(c *evidence.Case, h evidence.Heard, index int) int {
	if h.Meaning != says.Certificate || h.Of != says.Writer {
		return index
	}
	for index < len(c.Hops)-1 && askedInClear(c, index) {
		index++
	}
	return index
}

// askedInClear reports whether a hop is known to be asked without TLS: the first hop by the target's
// URL, any hop by answers of it that could be read on the wire.
func askedInClear(c *evidence.Case, index int) bool {
	if index == 0 && strings.HasPrefix(c.Target.Info.URL, "http://") {
		return true
	}
	return slices.ContainsFunc(c.Spoken, func(j spoken.Joined) bool {
		if !j.Replied() || j.Format == "reply tls" {
			return false
		}
		at, ok := Replier(c, j.Line)
		return ok && at == index
	}) || slices.ContainsFunc(c.Run.Log.Events, func(e probe.Event) bool {
		if e.Kind != probe.Answered {
			return false
		}
		at, ok := HopAt(c, e.Local)
		return ok && at == index
	})
}

// Replier returns the index of the hop that sent an answer: the one with its address and port, else the
// one behind the hop that read it. For a DNS answer it is the hop that asked.
func Replier(c *evidence.Case, l *spoken.Line) (index int, ok bool) {
	if index, ok = hopOf(c, l.Peer); ok {
		return index, true
	}
	if index, ok = Speaker(c, l); !ok {
		return index, false
	}
	if l.Format != "reply dns" { // a name server is not on the way of the requests
		index++
	}
	return index, index < len(c.Hops)
}

// RefusedCaller returns the one host that a hop refused while it served its other callers, and how many
// others these are: then the caller is at fault, and not the hop.
func RefusedCaller(c *evidence.Case, h evidence.Hop, meant says.Meaning) (host string, others int) {
	for _, x := range c.Heard {
		if x.Line == nil || !x.Line.Replied() || x.Meaning != meant {
			continue
		}
		index, ok := Replier(c, x.Line.Line)
		to, one := x.Line.OnlyTo()
		if !ok || index != h.Index || !one || index == 0 {
			continue
		}
		before := c.Hops[index-1]
		if before.Station == nil || len(before.Station.Instances) < 2 {
			continue
		}
		if host := c.Run.HostOf(to); slices.Contains(before.Station.Hosts(), host) {
			return host, len(before.Station.Instances) - 1
		}
	}
	return "", 0
}

// Speaker returns the index of the hop that wrote a log; ok is false where it is not on the way.
func Speaker(c *evidence.Case, l *spoken.Line) (index int, ok bool) {
	if l.Edge != nil {
		return traced(c, l.Service)
	}
	found, serves := -1, false // of several hops on one host that the log's name does not tell apart, the deepest that is no proxy
	service := strings.ToLower(l.Service)
	for _, h := range c.Hops {
		if !h.Has(l.Host) {
			continue
		}
		process := strings.ToLower(cmp.Or(h.Process(), c.ProxyProcess(h)))
		if process != "" && service != "" && (strings.HasPrefix(service, process) || strings.HasPrefix(process, service)) {
			return h.Index, true // the name tells several hops on one host apart
		}
		if mine := !evidence.IsProxy(process); found < 0 || mine || !serves {
			found, serves = h.Index, mine
		}
	}
	return max(found, 0), found >= 0
}

// HopAt returns the index of the hop whose service has an address.
func HopAt(c *evidence.Case, addr netip.AddrPort) (index int, ok bool) {
	return hopOf(c, says.Peer{Addr: addr})
}

// hopOf returns the index of the hop that a peer in a text stands for.
func hopOf(c *evidence.Case, p says.Peer) (int, bool) {
	for _, h := range c.Hops {
		switch {
		case p.Addr.IsValid():
			if !h.Has(c.Run.HostOf(p.Addr.Addr())) || p.Addr.Port() != 0 && h.Station != nil && p.Addr.Port() != h.Station.Port {
				continue
			}
			return h.Index, true
		case p.Name != "":
			if name, _, _ := strings.Cut(p.Name, ":"); name == h.Host {
				return h.Index, true
			}
		}
	}
	return 0, false
}

// WriterOf returns the index of the hop that wrote an answer. An error page of a proxy is the proxy's;
// any other answer is that of the first hop that is no proxy.
func WriterOf(c *evidence.Case, a answers.Answer) int {
	if by, own := ownPage(a); own {
		for _, h := range c.Hops {
			if by != "" && strings.HasPrefix(strings.ToLower(c.ProxyProcess(h)), by) {
				return h.Index
			}
		}
		return 0
	}
	return FirstService(c)
}

// FirstService returns the index of the first hop that is no proxy; the last hop where all are. A hop
// that nobody watches may be a proxy.
func FirstService(c *evidence.Case) int {
	i := 0
	for i < len(c.Hops)-1 && (c.Hops[i].Assumed || c.ProxyProcess(c.Hops[i]) != "") {
		i++
	}
	return i
}

// ownPage reports whether an answer is the error page of a proxy, and returns the beginning of the
// proxy's name where the page has it.
func ownPage(a answers.Answer) (by string, own bool) {
	text, server := strings.ToLower(a.Says), strings.ToLower(a.By)
	for _, p := range []struct{ word, process string }{
		{"nginx", "nginx"},
		{"openresty", "nginx"},
		{"haproxy", "haproxy"},
		{"envoy", "envoy"},
		{"varnish", "varnish"},
		{"traefik", "traefik"},
		{"squid", "squid"},
		{"apache", "apache"},
		{"due to maintenance downtime or capacity problems", "apache"},
		{"no server is available to handle this request", "haproxy"},
		{"upstream connect error", "envoy"},
		{"no healthy upstream", "envoy"},
		{"your browser sent an invalid request", "haproxy"},
		{"the server didn't respond in time", "haproxy"},
		{"the server returned an invalid or incomplete response", "haproxy"},
	} {
		if strings.Contains(text, p.word) {
			return p.process, true
		}
	}
	if text == "" && evidence.IsProxy(server) {
		name, _, _ := strings.Cut(server, "/")
		return name, true
	}
	return "", false
}
