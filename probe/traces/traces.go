// Package traces asks a store of traces, after a run, for those of failed requests, and
// finds in each the call at which it failed: Jaeger, Zipkin and Tempo by their query APIs.
// It knows no cause and draws no conclusion (see report/diagnose/traced).
//
// What a store answers comes from other programs: it is bounded, cleaned of control
// characters, and never believed to be well formed or to be a tree.
package traces

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Kind says on which side of a call a span is.
type Kind uint8

// The kinds.
const (
	Internal Kind = iota
	Client        // it asks another, or hands a message on
	Server        // it answers another
)

// Span is a span as any store tells it.
type Span struct {
	ID, Parent string // parent is empty for the first
	Service    string
	Name       string
	Kind       Kind
	Start      time.Time
	Duration   time.Duration
	Failed     bool
	Text       string // why, where it says so
	Peer       string // of a Client: the service or address that it asks
	Status     int    // of HTTP; 0: not told
	shared     bool   // Zipkin: it has the id of the client's span
}

// Failing is the deepest call of a trace that failed.
type Failing struct {
	Service   string // that says so
	From, To  string // the edge: who asked, and who was asked; From is empty at the first service
	Operation string
	Text      string
	Peer      string
	Status    int
	Start     time.Time
	Calls     bool // it is the caller who says so, and nothing of the one that was asked failed
}

// Bounds of what is read of a trace.
const (
	maxSpans = 5000
	maxDepth = 200
	maxText  = 300
	maxName  = 100
)

// tree is the spans of a trace by their parents.
type tree struct {
	spans  []Span
	parent []int // index; -1: none, or one that is not there
	depth  []int
}

func treeOf(spans []Span) tree {
	if len(spans) > maxSpans {
		spans = spans[:maxSpans]
	}
	t := tree{spans: spans, parent: make([]int, len(spans)), depth: make([]int, len(spans))}
	first, server := map[string]int{}, map[string]int{}
	for i := range spans {
		s := &spans[i]
		if at, twice := first[s.ID]; twice && s.Kind != spans[at].Kind {
			// Zipkin: both ends of a call may share an id.
			if s.Kind == Server {
				server[s.ID] = i
			} else if spans[at].Kind == Server {
				first[s.ID], server[s.ID] = i, at
			}
			continue
		}
		first[s.ID] = i
	}
	for i := range spans {
		s := &spans[i]
		t.parent[i] = -1
		if at, both := server[s.ID]; both && at == i {
			t.parent[i] = first[s.ID]
			continue
		}
		if s.Parent == "" || s.Parent == s.ID {
			continue
		}
		if at, ok := server[s.Parent]; ok && spans[at].Service == s.Service {
			t.parent[i] = at // of the callee's own half
		} else if at, ok := first[s.Parent]; ok && at != i {
			t.parent[i] = at
		}
	}
	for i := range spans {
		at := i
		for t.depth[i] < maxDepth && t.parent[at] >= 0 { // hostile parents go round in circles
			at = t.parent[at]
			t.depth[i]++
		}
	}
	return t
}

// Deepest returns the deepest call of a trace that failed, of those that begin at the
// same depth the one that ended first: what failed later may have failed of it. own is the
// name of the run's own spans, which say no more than the run knows. services is how many
// services have spans beside it; ok is false where no span of theirs failed.
func Deepest(spans []Span, own string) (f Failing, services int, ok bool) {
	t := treeOf(spans)
	names := map[string]bool{}
	best := -1
	for i := range t.spans {
		s := &t.spans[i]
		if s.Service == own {
			continue
		}
		names[s.Service] = true
		if !s.Failed {
			continue
		}
		if best < 0 || t.depth[i] > t.depth[best] || t.depth[i] == t.depth[best] && s.Start.Add(s.Duration).Before(t.spans[best].Start.Add(t.spans[best].Duration)) {
			best = i
		}
	}
	if best < 0 {
		return Failing{}, len(names), false
	}
	s := &t.spans[best]
	f = Failing{Service: s.Service, Operation: s.Name, Text: s.Text, Peer: s.Peer, Status: s.Status, Start: s.Start}
	if s.Kind == Client {
		f.From, f.To, f.Calls = s.Service, t.asked(best), true
	} else {
		f.From, f.To = t.asker(best), s.Service
	}
	for at := best; f.Text == "" && t.parent[at] >= 0; { // its callers may say more
		at = t.parent[at]
		if up := &t.spans[at]; up.Failed && up.Service != own {
			f.Text = up.Text
		} else {
			break
		}
	}
	return f, len(names), true
}

// asked returns whom a caller's span asked: the service of a span below it, else as it
// says itself.
func (t *tree) asked(i int) string {
	for j := range t.spans {
		if t.parent[j] == i && t.spans[j].Service != t.spans[i].Service {
			return t.spans[j].Service
		}
	}
	return t.spans[i].Peer
}

// asker returns the service that called the one of a span, "" where no span tells.
func (t *tree) asker(i int) string {
	service := t.spans[i].Service
	for at, n := t.parent[i], 0; at >= 0 && n < maxDepth; at, n = t.parent[at], n+1 {
		if t.spans[at].Service != service {
			return t.spans[at].Service
		}
	}
	return ""
}

// clean makes a text safe to print: one line, no control characters, at most so many bytes.
func clean(s string, most int) string {
	s = strings.ToValidUTF8(s[:min(len(s), 4*most)], "")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == '\r':
			return ' '
		case r < ' ', r == 0x7f, unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
