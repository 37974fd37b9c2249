// Package answers is what failed requests were answered: the types that a report has of it, and
// their sums over failures. It knows nothing of why (see report/diagnose).
package answers

import (
	"cmp"
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/attack"
)

// Answer is what failed attempts were answered: responses of one status that say the
// same, but for numbers, from one sender. They are counted in a sample: windows keep a
// few answers of each status.
type Answer struct {
	Status      uint16   `json:"status"`
	Detail      string   `json:"detail,omitempty"`       // what its protocol says, such as "grpc unavailable"
	Fault       string   `json:"fault"`                  // status; another where the response broke off
	Times       uint64   `json:"times"`                  // in the sample
	Of          uint64   `json:"of"`                     // answers of the target in the sample
	Requests    []string `json:"requests,omitempty"`     // that were answered so, the commonest first
	By          string   `json:"by,omitempty"`           // who wrote it, as it says itself (server)
	Via         string   `json:"via,omitempty"`          // through whom it came
	Why         string   `json:"why,omitempty"`          // what of its content was not expected, and what came, of one of them
	Says        string   `json:"says,omitempty"`         // its first words, without markup
	ContentType string   `json:"content_type,omitempty"` //
	RetryAfterS *float64 `json:"retry_after_s"`          // null: it did not say
	// Headers are the others that tell, of one of them.
	Headers map[string]string `json:"headers,omitempty"`
	// DeclaredBytes is the length of the body that it announced, ReceivedBytes what
	// came of it, of one of them; null: no length was announced.
	DeclaredBytes *int64 `json:"declared_bytes,omitempty"`
	ReceivedBytes *int64 `json:"received_bytes,omitempty"`
}

// Label names the status of an answer as its protocol does: 503, or grpc unavailable.
func (a Answer) Label() string {
	switch {
	case a.Detail != "":
		return a.Detail
	case a.Status == 0:
		return "-" // only those of HTTP have one
	}
	return strconv.Itoa(int(a.Status))
}

// mostAnswers bounds what is told of a target.
const mostAnswers = 20

// SumAnswers sums what failures of a target were answered, the commonest first. name
// gives the name of a request by its number, "" for an unknown one; content are the names
// of what a step asks of answers (see [attack.Content]).
func SumAnswers(failures []*attack.Failure, content []string, name func(endpoint uint32) string) []Answer {
	type key struct {
		status    uint16
		detail    attack.Detail
		fault     attack.Fault
		by, says  string
		hasLength bool
	}
	type group struct {
		Answer
		requests map[string]int
	}
	groups := map[key]*group{}
	var all uint64
	for _, f := range failures {
		a := f.Answer
		if a == nil {
			continue
		}
		all++
		says, by := WordsOf(a), writer(a)
		broken := f.Fault != attack.Status
		detail := attack.Detail{}
		if f.Detail.Kind == attack.GRPCDetail && !broken || f.Detail.Kind == attack.ServerDetail || f.Detail.Kind == attack.ContentDetail {
			detail = f.Detail
		}
		k := key{f.Status, detail, f.Fault, by, pattern(says), broken && a.Declared >= 0}
		g := groups[k]
		if g == nil {
			g = &group{requests: map[string]int{}, Answer: Answer{
				Status: f.Status, Detail: detail.Told(content), Fault: f.Fault.String(), By: by, Via: a.Header("via"), Why: a.Why, Says: says, ContentType: a.Header("content-type"),
			}}
			if wait, ok := RetryAfter(a); ok {
				g.RetryAfterS = new(wait.Seconds())
			}
			if a.Declared >= 0 {
				g.DeclaredBytes, g.ReceivedBytes = new(a.Declared), new(a.Received)
			}
			for _, h := range a.Headers {
				switch h.Name {
				case "server", "via", "content-type", "retry-after":
				default:
					if g.Headers == nil {
						g.Headers = map[string]string{}
					}
					g.Headers[h.Name] = h.Value
				}
			}
			groups[k] = g
		}
		g.Times++
		if n := name(f.Endpoint); n != "" {
			g.requests[n]++
		}
	}
	out := make([]Answer, 0, len(groups))
	for _, g := range groups {
		g.Of = all
		for n := range g.requests {
			g.Requests = append(g.Requests, n)
		}
		slices.SortFunc(g.Requests, func(x, y string) int {
			return cmp.Or(cmp.Compare(g.requests[y], g.requests[x]), cmp.Compare(x, y))
		})
		g.Requests = g.Requests[:min(len(g.Requests), 3)]
		out = append(out, g.Answer)
	}
	slices.SortFunc(out, func(x, y Answer) int {
		return cmp.Or(cmp.Compare(y.Times, x.Times), cmp.Compare(x.Status, y.Status), cmp.Compare(x.Fault, y.Fault), cmp.Compare(x.Says, y.Says), cmp.Compare(x.By, y.By))
	})
	return out[:min(len(out), mostAnswers)]
}

// writer returns who wrote an answer, as it says itself.
func writer(a *attack.Answer) string {
	if s := a.Header("server"); s != "" {
		return s
	}
	for _, h := range a.Headers {
		if strings.HasPrefix(h.Name, "x-envoy-") {
			return "envoy"
		}
	}
	return a.Header("x-served-by")
}

// RetryAfter returns how long an answer asks to wait; ok is false if it does not, or
// names a date.
func RetryAfter(a *attack.Answer) (wait time.Duration, ok bool) {
	s, err := strconv.ParseFloat(a.Header("retry-after"), 64)
	if err != nil || !(s >= 0 && s <= 86_400) {
		return 0, false
	}
	return time.Duration(s * float64(time.Second)), true
}

var (
	markup = regexp.MustCompile(`(?s)<(script|style)[^>]*>.*?(</(script|style)>|$)|<!--.*?(-->|$)|<[^>]*(>|$)`)
	title  = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)
	varied = regexp.MustCompile(`[0-9a-f]*[0-9][0-9a-f]*(-[0-9a-f]+)*`)
)

// mostWords bounds the words of an answer that are told.
const mostWords = 200

// WordsOf returns the words of an answer, without markup, on one line of at most 200
// bytes; "" for none.
func WordsOf(a *attack.Answer) string {
	s := a.Body
	if strings.Contains(a.Header("content-type"), "html") || strings.HasPrefix(strings.TrimSpace(s), "<") {
		head := ""
		if m := title.FindStringSubmatchIndex(s); m != nil {
			head = s[m[2]:m[3]]
			s = s[:m[0]] + " " + s[m[1]:]
		}
		s = strings.TrimSpace(html.UnescapeString(markup.ReplaceAllString(s, " ")))
		if head = strings.TrimSpace(html.UnescapeString(head)); head != "" && !strings.Contains(s, head) {
			s = strings.TrimSuffix(head+": "+s, ": ")
		}
	}
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= mostWords {
		return s
	}
	cut := mostWords
	if at := strings.LastIndexByte(s[:cut], ' '); at > mostWords/2 {
		cut = at
	}
	return strings.ToValidUTF8(s[:cut], "") + " ..."
}

// pattern is what answers that say the same have in common: their words without the
// numbers and identifiers in them.
func pattern(says string) string {
	return varied.ReplaceAllString(strings.ToLower(says), "#")
}

// Request is what happened to one of the requests of a target.
type Request struct {
	Name          string   `json:"name"`
	Attempts      uint64   `json:"attempts"`
	Failed        uint64   `json:"failed"`
	SentBytes     *float64 `json:"sent_bytes"`     // mean of an attempt, headers included; null: not told
	ReceivedBytes *float64 `json:"received_bytes"` // mean body of a success; null: none succeeded
}
