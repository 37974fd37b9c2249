package journey

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// mostName and mostValue bound, in bytes, what is told of a check or extract and of what
// an answer has instead.
const (
	mostName  = 60
	mostValue = 100
)

// Content names what a step asks of the content of its answers, checks first, in the
// order in which it is looked at: "check json id", "extract token: json data.token". A
// detail of [attack.Content] is an index of it. Texts are as the profile has them, cut.
func Content(s profiles.Step) []string {
	var out []string
	c := s.Check
	if c.Body != "" {
		out = append(out, fmt.Sprintf("check body %q", cut(c.Body, mostName)))
	}
	if c.Regexp != "" {
		out = append(out, "check regexp "+cut(c.Regexp, mostName))
	}
	for _, want := range c.JSON {
		out = append(out, "check json "+cut(want.Name, mostName))
	}
	for _, want := range c.Headers {
		out = append(out, "check header "+cut(want.Name, mostName))
	}
	for _, e := range s.Extract {
		out = append(out, fmt.Sprintf("extract %s: %s %s", e.Name, e.From, cut(e.What, mostName)))
	}
	return out
}

// Contents names what each target is asked for as [Content] does: nil for those that are
// no steps.
func Contents(p profiles.Profile) [][]string {
	out := make([][]string, len(p.Targets))
	next := map[int]int{}
	for i, t := range p.Targets {
		if t.Journey == 0 || t.Journey > len(p.Journeys) {
			continue
		}
		steps := p.Journeys[t.Journey-1].Steps
		if at := next[t.Journey]; at < len(steps) {
			out[i] = Content(steps[at])
		}
		next[t.Journey]++
	}
	return out
}

// Why says in full why an answer failed a step: what was wanted, and what it has instead;
// "" of one that has all. The texts are the profile's and the answer's own, cut.
func (s *Script) Why(step int, reply *attack.Reply) string {
	x := &s.steps[step]
	index := x.fails(reply)
	if index < 0 {
		return ""
	}
	what := Content(x.Step)[index]
	c := x.Check
	if c.Body != "" {
		if index == 0 {
			return what + ": the body has no such text"
		}
		index--
	}
	if c.Regexp != "" {
		if index == 0 {
			return what + ": the body does not match"
		}
		index--
	}
	if index < len(c.JSON) {
		want := fmt.Sprintf("%s: wanted %q", what, cut(c.JSON[index].Value, mostValue))
		if got, ok := jsonValue(reply.Body, c.JSON[index].Name); ok {
			return fmt.Sprintf("%s, got %q", want, cut(got, mostValue))
		}
		return want + ", " + lacks(profiles.FromJSON, reply)
	}
	if index -= len(c.JSON); index < len(c.Headers) {
		want := fmt.Sprintf("%s: wanted %q", what, cut(c.Headers[index].Value, mostValue))
		for _, h := range reply.Headers {
			if strings.EqualFold(h.Name, c.Headers[index].Name) {
				return want + ", the header does not have it" // its value may be a secret
			}
		}
		return want + ", the answer has no such header"
	}
	return what + " found nothing" + strings.TrimPrefix(", "+lacks(s.from(step, index-len(c.Headers)), reply), ", there is none")
}

func (s *Script) from(step, extract int) profiles.ExtractFrom {
	return s.steps[step].Extract[extract].From
}

// lacks says why there is no value.
func lacks(from profiles.ExtractFrom, reply *attack.Reply) string {
	switch {
	case from == profiles.FromJSON && len(reply.Body) == 0:
		return "the body is empty"
	case from == profiles.FromJSON && !isJSON(reply.Body):
		return "the body is no JSON"
	}
	return "there is none"
}

// fails returns what of [Content] an answer fails first; -1: nothing.
func (s *step) fails(reply *attack.Reply) int {
	if at := s.check.fails(reply); at >= 0 {
		return at
	}
	for i := range s.takes {
		if _, ok := s.takes[i].Take(reply); !ok {
			return s.check.parts() + i
		}
	}
	return -1
}

// cut bounds a text, in bytes, at a whole character.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "..."
}
