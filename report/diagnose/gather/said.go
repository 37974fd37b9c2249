package gather

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/report/answers"
	"github.com/rampload/rampload/report/format"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// RequestName returns the name of one of the target's requests; "" where they are not listed.
func RequestName(c *evidence.Case, endpoint uint32) string {
	if all := c.Target.Info.Endpoints; int(endpoint) < len(all) {
		return all[endpoint].Name
	}
	return ""
}

// saying sums up the answers of failures that were kept with one: each wording once, the most frequent
// first.
func saying(c *evidence.Case) []answers.Answer {
	return answers.SumAnswers(c.Failures, c.Target.Info.Content, func(endpoint uint32) string { return RequestName(c, endpoint) })
}

// Quote quotes an answer, with how often it was read and from whom.
func Quote(a answers.Answer) string {
	by := ""
	if a.By != "" {
		by = " from " + a.By
	}
	if a.Why != "" {
		return fmt.Sprintf("%s of %s answers that were read%s, fail: %s", format.Number(float64(a.Times)), format.Number(float64(a.Of)), by, a.Why)
	}
	return fmt.Sprintf("%s of %s answers that were read, %s%s, say: %s", format.Number(float64(a.Times)), format.Number(float64(a.Of)), a.Label(), by, Shortened(a.Says))
}

// Shortened cuts a text to the length that fits a sentence.
func Shortened(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	cut := strings.LastIndexByte(s[:most], ' ')
	if cut < most/2 {
		cut = most
	}
	return strings.ToValidUTF8(s[:cut], "") + " ..."
}

// Telling cuts a text to the length that fits a sentence, and keeps the phrase that says what is wrong.
// The text between its beginning and the phrase goes first.
func Telling(s, phrase string) string {
	const most, head = 120, 45
	phrase, _, _ = strings.Cut(phrase, "…")
	low := strings.ToLower(s)
	at := strings.Index(low, phrase)
	if len(s) <= most || phrase == "" || at < 0 || at+len(phrase) <= most || len(low) != len(s) {
		return Shortened(s)
	}
	begin := s[:head]
	if cut := strings.LastIndexByte(begin, ' '); cut > head/2 {
		begin = begin[:cut]
	}
	end := s[at:]
	if cut := most - head; len(end) > cut {
		end = end[:max(cut, len(phrase))] + " ..."
	}
	return strings.ToValidUTF8(begin, "") + " ... " + strings.ToValidUTF8(end, "")
}

// commonAnswers says in words what most failures were answered.
func commonAnswers(c *evidence.Case) string {
	if j := told(c); j != nil && !slices.ContainsFunc(c.Heard, func(h evidence.Heard) bool { return h.Line == nil && h.Share >= 0.5 }) {
		return quoteLine(c, j) // the log says more than the answers
	}
	for _, a := range c.Said {
		if a.Fault == attack.Status.String() && a.Says+a.Why != "" && a.Times >= 3 && 2*a.Times >= a.Of {
			return Quote(a)
		}
	}
	return ""
}

// Short is the length that responses announced, and the shorter one at which they stopped each time.
type Short struct {
	Request            string
	Times, Of          float64
	Declared, Received int64
}

// ShortAnswers returns the lengths of responses that broke off in their body. ok is false unless nearly
// all of them announced one length and stopped at another.
func ShortAnswers(c *evidence.Case) (s Short, ok bool) {
	type lengths struct {
		endpoint           uint32
		declared, received int64
	}
	times := map[lengths]float64{}
	all := 0.0
	for _, x := range c.Failures {
		if x.Phase != attack.PhaseBody || x.Answer == nil || x.Answer.Declared < 0 {
			continue
		}
		all++
		times[lengths{x.Endpoint, x.Answer.Declared, x.Answer.Received}]++
	}
	var most lengths
	alike := 0.0
	for k, n := range times {
		if n < 3 && n < 0.5*all {
			continue // other lengths: it broke off anywhere
		}
		alike += n
		if n > times[most] || n == times[most] && k.endpoint < most.endpoint {
			most = k
		}
	}
	if all < 5 || alike < 0.9*all || most.received >= most.declared {
		return Short{}, false
	}
	return Short{RequestName(c, most.endpoint), times[most], all, most.declared, most.received}, true
}
