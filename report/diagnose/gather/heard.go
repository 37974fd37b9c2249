package gather

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/report/answers"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/diagnose/says"
	"github.com/rampload/rampload/report/diagnose/spoken"
	"github.com/rampload/rampload/report/diagnose/words"
)

// heard reads what failures were answered: one entry for each meaning, the commonest
// first. The answers that were kept are a sample, and only statuses have one.
func heard(c *evidence.Case) []evidence.Heard {
	type key struct {
		meaning says.Meaning
		of      says.Of
	}
	sums, times := map[key]*evidence.Heard{}, map[key]float64{}
	of := 0.0
	for _, a := range c.Said { // the commonest first
		if a.Fault != attack.Status.String() {
			continue
		}
		of += float64(a.Times)
		s, ok := says.Read(a.Says)
		if !ok {
			continue
		}
		k := key{s.Meaning, s.Of}
		if sums[k] == nil {
			sums[k] = &evidence.Heard{Statement: s, Source: "answers", By: a}
		}
		times[k] += float64(a.Times)
	}
	var out []evidence.Heard
	for k, h := range sums {
		h.Share = times[k] / of * c.Parts.Share(attack.Status)
		a := h.By
		a.Times = uint64(times[k])
		h.Text = Quote(a)
		out = append(out, *h)
	}
	slices.SortFunc(out, func(x, y evidence.Heard) int {
		return cmp.Or(-cmp.Compare(x.Share, y.Share), cmp.Compare(x.Meaning, y.Meaning), cmp.Compare(x.Of, y.Of))
	})
	return out
}

// listen joins what the logs of the run say to the failures of the target.
func listen(c *evidence.Case) {
	if c.Run.Lines == nil || c.Target.Total.Failed == 0 {
		return
	}
	var failures []*attack.Failure
	for i := range c.Run.Log.Failures {
		if f := &c.Run.Log.Failures[i]; int(f.Target) == c.Target.Index {
			failures = append(failures, f)
		}
	}
	ended := make([]float64, c.Run.N+int(10/c.Run.Step))
	open := make([]float64, len(ended))
	for _, w := range c.Target.Windows {
		for _, cell := range w.Cells {
			if cell.Fault.Failure() && cell.Phase != attack.PhaseIdle && w.Index >= 0 && int(w.Index) < len(ended) {
				ended[w.Index] += float64(cell.Attempts)
				for i := max(cell.DueWindow, 0); i < w.Index; i++ {
					open[i] += float64(cell.Attempts)
				}
			}
		}
	}
	c.Spoken = spoken.Join(c.Run.Lines, failures, ended, open, c.Run.Step)
	for i := range c.Spoken {
		speakForSilent(c, &c.Spoken[i])
	}
	for _, j := range together(c.Spoken) {
		if j.Meaning == says.None {
			continue
		}
		h := evidence.Heard{Statement: j.Statement, Share: j.Share, Source: "log of " + j.Service + " on " + j.Host, Text: quoteLine(c, j), Line: j}
		if h.Meaning.Own() && (ofStore(j.Line) || ofCaller(c, j.Line)) || ofStoreProtocol(j.Line) {
			h.Of = says.Writer // in its own log a service speaks of itself
		}
		switch {
		case j.Replied():
			h.Source = "answers on the wire"
		case j.Edge != nil:
			h.Source = j.File
		}
		c.Heard = append(c.Heard, h)
	}
	correctPages(c)
}

// speakForSilent lets what HAProxy says of the connections that servers broke speak also for
// those of which it is silent: where a server breaks a connection that had served before,
// it ends its client's without a line, for the client to try again.
func speakForSilent(c *evidence.Case, j *spoken.Joined) {
	if j.Statement.Of != says.Behind {
		return
	}
	told, _ := namedServer(c, j)
	silent := c.Parts.Share(attack.EOF, attack.Reset, attack.BrokenPipe)
	if told >= 3 && silent > 0 {
		j.Share = min(1, j.Times/told*(told/max(c.Parts.Failed, told)+silent))
	}
}

// correctPages leaves out what the page of a balancer says of servers that are away, where
// the balancer's log says that it refused the requests itself: the page is that of the
// status, whatever the reason, whether the client read it or somebody on the wire.
func correctPages(c *evidence.Case) {
	refused := slices.ContainsFunc(c.Heard, func(h evidence.Heard) bool {
		return h.Line != nil && h.Line.Format == "haproxy" && h.Line.By == "id" && h.Of == says.Writer && h.Share >= 0.5
	})
	if refused {
		c.Heard = slices.DeleteFunc(c.Heard, func(h evidence.Heard) bool { return (h.Line == nil || h.Line.Replied()) && h.Meaning == says.NoServer })
	}
}

// told returns the line that says most precisely of most failures what is wrong; nil
// where none does.
func told(c *evidence.Case) *spoken.Joined {
	var best *spoken.Joined
	for _, h := range c.Heard {
		if h.Line != nil && h.Share >= 0.5 && (best == nil || best.Replied() || !h.Line.Replied() && h.Meaning < best.Meaning) {
			best = h.Line // meanings go from what is short to what followed
		}
	}
	return best
}

// Told words the line that says of most failures what is wrong, and names the log that it
// stands in; empty where none does.
func Told(c *evidence.Case) (where, text string) {
	j := told(c)
	if j == nil || j.Replied() {
		return "", ""
	}
	where = j.Service + " on " + j.Host
	if j.Edge != nil {
		where = j.Edge.String()
	}
	if j.File != "" {
		where += " (" + j.File + ")"
	}
	return where, Telling(j.Text, j.Phrase)
}

// ofStoreProtocol reports whether a line is an answer in a protocol of stores: those speak
// of themselves, whoever they answer.
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

// isBroker reports whether a log or process is of a message broker by its name.
func isBroker(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"rabbit", "beam.smp", "kafka", "nats-server", "activemq", "artemis", "pulsar"}, func(s string) bool { return strings.Contains(name, s) })
}

// tries are what is said of somebody behind by whoever tried to ask him.
var tries = []says.Meaning{says.Refused, says.Reset, says.Closed, says.Slow, says.NoConnect, says.NoRoute, says.Name}

// SaysTried reports whether a hop logs of most failures that it tried to ask somebody behind
// it, in vain.
func SaysTried(c *evidence.Case, h evidence.Hop) bool {
	return slices.ContainsFunc(c.Heard, func(x evidence.Heard) bool {
		if x.Line == nil || x.Line.Replied() || x.Of != says.Behind || x.Share < 0.5 || !slices.Contains(tries, x.Meaning) {
			return false
		}
		at, ok := Speaker(c, x.Line.Line)
		return ok && at == h.Index
	})
}

// ofCaller reports whether a line names somebody who asks its writer, and nobody whom that
// asks: it says what the writer itself told that caller.
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
	return slices.ContainsFunc([]string{"postgres", "redis", "mysql", "maria", "mongo", "memcached", "valkey", "elastic", "cassandra"}, func(s string) bool { return strings.Contains(name, s) })
}

// IsPooler reports whether a process keeps connections to a database for others, by its name.
func IsPooler(process string) bool {
	name := strings.ToLower(process)
	return slices.ContainsFunc([]string{"pgbouncer", "pgpool", "odyssey", "pgcat", "proxysql", "maxscale"}, func(s string) bool { return strings.HasPrefix(name, s) })
}

// IsNameServer reports whether a process looks up names for others, by its name.
func IsNameServer(process string) bool {
	name := strings.ToLower(process)
	return slices.ContainsFunc([]string{"dnsmasq", "named", "unbound", "coredns", "systemd-resolve", "pdns", "kresd"}, func(s string) bool { return strings.HasPrefix(name, s) })
}

// quoteLine words a line: who says it of whom and how often, word for word.
func quoteLine(c *evidence.Case, j *spoken.Joined) string {
	who := j.Service
	if j.Replied() {
		who = j.Peer.String() + " answered"
		if host := c.Run.HostOf(j.Peer.Addr.Addr()); host != "" {
			who = fmt.Sprintf("%s:%d answered", host, j.Peer.Addr.Port())
		} else if j.Format == "reply dns" {
			who = fmt.Sprintf("%s asked %s", j.Host, j.Peer)
		}
		return fmt.Sprintf("%s: %s (%s while %s failed, first at %s)", who, Telling(j.Text, j.Phrase), words.Count(j.Times, "time"), words.Commas(j.Of), c.Run.LoadText(c.Run.LoadAt(j.First), j.First))
	}
	if j.Edge != nil {
		return quoteTrace(c, j)
	}
	switch {
	case j.Hosts > 1:
		who += " on " + words.Count(float64(j.Hosts), "host")
	case j.Service != j.Host:
		who += " on " + j.Host
	}
	if !j.Peer.IsZero() {
		who += " -> " + j.Peer.String()
	}
	how := fmt.Sprintf("%s of %s failed transactions", words.Commas(j.Times), words.Commas(j.Of))
	if j.By == "time" {
		how = fmt.Sprintf("%s while %s failed", words.Count(j.Times, "line"), words.Commas(j.Of))
	}
	return fmt.Sprintf("%s: %s (%s, first at %s)", who, Telling(j.Text, j.Phrase), how, c.Run.LoadText(c.Run.LoadAt(j.First), j.First))
}

// About returns the index of the hop that something is said of: the one that is named,
// else whoever said it or the one behind. ok is false where the way is not known as far
// as that.
func About(c *evidence.Case, h evidence.Heard) (index int, ok bool) {
	if h.Line != nil && h.Line.Replied() {
		if index, ok = Replier(c, h.Line.Line); ok && h.Of == says.Behind {
			index++
		} else if by, own := ownPage(answers.Answer{Says: h.Line.Text}); ok && own {
			for _, x := range c.Hops[index:] { // it passed on the page of another
				if strings.HasPrefix(strings.ToLower(c.ProxyProcess(x)), by) {
					return x.Index, true
				}
			}
		}
		return index, ok && index < len(c.Hops)
	}
	if at, found := hopOf(c, h.Peer); found && h.Of == says.Behind {
		return at, true
	}
	if h.Line == nil && !c.Language().OverHTTP() {
		return len(c.Hops) - 1, true // no answer of another's is passed on: the last hop speaks of itself
	}
	if h.Line == nil {
		index = WriterOf(c, h.By)
	} else if index, ok = Speaker(c, h.Line.Line); !ok {
		return index, false
	}
	if h.Of == says.Behind {
		index++
	}
	return index, index < len(c.Hops)
}

// Replier returns the index of the hop that sent an answer: the one with its address and
// port, else the one behind whoever read it; of an answer about a name, whoever asked for it.
func Replier(c *evidence.Case, l *spoken.Line) (index int, ok bool) {
	if index, ok = hopOf(c, l.Peer); ok {
		return index, true
	}
	if index, ok = Speaker(c, l); !ok {
		return index, false
	}
	if l.Format != "reply dns" { // a name server is asked beside the way
		index++
	}
	return index, index < len(c.Hops)
}

// RefusedCaller returns the one of several hosts that ask a hop which alone was refused: what
// it says of itself, and not the hop, is wrong.
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

// toldNext returns which of those that a hop asks nearly all failed requests were passed
// to, as its log says: the one of several instances that is at fault. It is nil where the
// log does not say, or names several.
func toldNext(c *evidence.Case, at *hops.Hop) *hops.Hop {
	for i := range c.Spoken {
		j := &c.Spoken[i]
		if !elected(c, j) || at.Process == "" || !strings.HasPrefix(strings.ToLower(j.Service), strings.ToLower(at.Process)) || !slices.Contains(at.Hosts(), j.Host) {
			continue
		}
		for _, n := range at.Next {
			if len(n.Instances) > 0 && n.Port == j.Peer.Addr.Port() && (j.Peer.Addr.Addr().IsLoopback() || slices.Contains(n.Hosts(), c.Run.HostOf(j.Peer.Addr.Addr()))) {
				return n
			}
		}
	}
	return nil
}

// isTold reports whether a line names the one address that nearly all failed transactions
// went to.
func isTold(c *evidence.Case, j *spoken.Joined) bool {
	return j.By == "id" && j.Peer.Addr.IsValid() && j.Share >= 0.9
}

// elected reports whether a line names the one address that nearly all failed transactions
// went to, of which a log that is not silent of most names any.
func elected(c *evidence.Case, j *spoken.Joined) bool {
	if isTold(c, j) {
		return true
	}
	_, one := namedServer(c, j)
	return one && j.Peer.Addr.IsValid()
}

// toldInstance returns the host of the instance that logs say nearly all failed requests
// went to, "" where they do not.
func toldInstance(c *evidence.Case, at *hops.Hop) string {
	for i := range c.Spoken {
		if j := &c.Spoken[i]; elected(c, j) && j.Peer.Addr.Port() == at.Port {
			if host := c.Run.HostOf(j.Peer.Addr.Addr()); slices.Contains(at.Hosts(), host) {
				return host
			}
		}
	}
	return ""
}

// oneInstance says that logs name one of several instances for nearly all failures.
func oneInstance(c *evidence.Case) string {
	if c.Run.Graph == nil {
		return ""
	}
	for i := range c.Spoken {
		j := &c.Spoken[i]
		told, named := namedServer(c, j)
		if !named && !isTold(c, j) {
			continue
		}
		others := map[string]bool{}
		for _, p := range c.Run.Graph.Peers {
			if p.Host == j.Host && p.Process != "" && strings.HasPrefix(strings.ToLower(j.Service), strings.ToLower(p.Process)) {
				others[p.Addr.String()] = true
			}
		}
		if named && !isTold(c, j) && len(others) >= 2 {
			return fmt.Sprintf("%s on %s passed %s of %s failed transactions that it names a server for to %s, one of the %d that it asks", j.Service, j.Host, words.Commas(j.Times), words.Commas(told), j.Peer, len(others))
		}
		if len(others) >= 2 && others[j.Peer.Addr.String()] {
			return fmt.Sprintf("%s on %s passed %s of %s failed transactions to %s, one of the %d that it asks", j.Service, j.Host, words.Commas(j.Times), words.Commas(j.Of), j.Peer, len(others))
		}
	}
	return ""
}

// namedServer reports whether a balancer's log names one server for nearly all failed
// transactions that it names any for, and how many those are. It is silent of requests on
// connections that it simply closed.
func namedServer(c *evidence.Case, j *spoken.Joined) (all float64, one bool) {
	if j.Format != "haproxy" || j.By != "id" || j.Peer.IsZero() {
		return 0, false
	}
	same := 0.0
	for i := range c.Spoken {
		if o := &c.Spoken[i]; o.Format == j.Format && o.By == "id" && !o.Peer.IsZero() && o.Service == j.Service && o.Host == j.Host {
			all += o.Times
			if o.Peer == j.Peer {
				same += o.Times
			}
		}
	}
	return all, same >= 3 && same >= 0.9*all
}

// Speaker returns the index of the hop that wrote into a log; ok is false where it is none
// of the way.
func Speaker(c *evidence.Case, l *spoken.Line) (index int, ok bool) {
	if l.Edge != nil {
		return traced(c, l.Service)
	}
	found, serves := -1, false // of several on one host, whose names say nothing, the deepest that is no proxy
	service := strings.ToLower(l.Service)
	for _, h := range c.Hops {
		if !h.Has(l.Host) {
			continue
		}
		process := strings.ToLower(cmp.Or(h.Process(), c.ProxyProcess(h)))
		if process != "" && service != "" && (strings.HasPrefix(service, process) || strings.HasPrefix(process, service)) {
			return h.Index, true // several may be on one host
		}
		if mine := !evidence.IsProxy(process); found < 0 || mine || !serves {
			found, serves = h.Index, mine
		}
	}
	return max(found, 0), found >= 0
}

// hopOf returns the index of the hop that a peer is.
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

// WriterOf returns the index of the hop that wrote an answer. A proxy's own page is the
// proxy's; all else passed through it, and was written by the first hop that is no proxy.
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

// FirstService returns the index of the first hop that is no proxy, the last one where
// all are.
func FirstService(c *evidence.Case) int {
	i := 0
	for i < len(c.Hops)-1 && c.ProxyProcess(c.Hops[i]) != "" {
		i++
	}
	return i
}

// ownPage reports whether an answer is one that a proxy writes itself, and the beginning
// of its name where it says so.
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
