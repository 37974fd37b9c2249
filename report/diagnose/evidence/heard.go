package evidence

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/says"
)

// Heard is what a part of the failures is said to be about, by the answers to them.
type Heard struct {
	says.Statement
	// Share is the part of all failures that it is said of.
	Share  float64
	Source string // "answers"
	Text   string // who said it how often, word for word
	// By is the commonest answer that says so.
	By report.Answer
}

// heard reads what failures were answered: one entry for each meaning, the commonest
// first. The answers that were kept are a sample, and only statuses have one.
func (c *Case) heard() []Heard {
	type key struct {
		meaning says.Meaning
		of      says.Of
	}
	sums, times := map[key]*Heard{}, map[key]float64{}
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
			sums[k] = &Heard{Statement: s, Source: "answers", By: a}
		}
		times[k] += float64(a.Times)
	}
	var out []Heard
	for k, h := range sums {
		h.Share = times[k] / of * c.Parts.Share(attack.Status)
		a := h.By
		a.Times = uint64(times[k])
		h.Text = Quote(a)
		out = append(out, *h)
	}
	slices.SortFunc(out, func(x, y Heard) int {
		return cmp.Or(-cmp.Compare(x.Share, y.Share), cmp.Compare(x.Meaning, y.Meaning), cmp.Compare(x.Of, y.Of))
	})
	return out
}

// About returns the index of the hop that something is said of: the one that is named,
// else whoever said it or the one behind. ok is false where the way is not known as far
// as that.
func (c *Case) About(h Heard) (index int, ok bool) {
	if at, found := c.hopOf(h.Peer); found && h.Of == says.Behind {
		return at, true
	}
	index = c.WriterOf(h.By)
	if h.Of == says.Behind {
		index++
	}
	return index, index < len(c.Hops)
}

// hopOf returns the index of the hop that a peer is.
func (c *Case) hopOf(p says.Peer) (int, bool) {
	for _, h := range c.Hops {
		switch {
		case p.Addr.IsValid():
			if !h.Has(c.Run.hostOf(p.Addr.Addr())) || p.Addr.Port() != 0 && h.Station != nil && p.Addr.Port() != h.Station.Port {
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
func (c *Case) WriterOf(a report.Answer) int {
	if by, own := ownPage(a); own {
		for _, h := range c.Hops {
			if by != "" && strings.HasPrefix(strings.ToLower(c.ProxyProcess(h)), by) {
				return h.Index
			}
		}
		return 0
	}
	return c.FirstService()
}

// FirstService returns the index of the first hop that is no proxy, the last one where
// all are.
func (c *Case) FirstService() int {
	i := 0
	for i < len(c.Hops)-1 && c.ProxyProcess(c.Hops[i]) != "" {
		i++
	}
	return i
}

// ownPage reports whether an answer is one that a proxy writes itself, and the beginning
// of its name where it says so.
func ownPage(a report.Answer) (by string, own bool) {
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
	if text == "" && IsProxy(server) {
		name, _, _ := strings.Cut(server, "/")
		return name, true
	}
	return "", false
}
