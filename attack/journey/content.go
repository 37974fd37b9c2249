package journey

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/redaction"
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

// why says in full why an answer fails what of [Content]: what was wanted, and what came
// instead. The texts are the profile's and the answer's own, cut.
func (s *step) why(index int, reply *attack.Reply) string {
	what := Content(s.Step)[index]
	c := s.Check
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
		name := c.JSON[index].Name
		want := fmt.Sprintf("%s: wanted %q", what, shown(name, c.JSON[index].Value))
		if got, ok := jsonValue(reply.Body, name); ok {
			return fmt.Sprintf("%s, got %q", want, shown(name, got))
		}
		return want + ", " + lacks(profiles.FromJSON, reply)
	}
	if index -= len(c.JSON); index < len(c.Headers) {
		name := c.Headers[index].Name
		want := fmt.Sprintf("%s: wanted %q", what, shown(name, c.Headers[index].Value))
		for _, h := range reply.Headers {
			if strings.EqualFold(h.Name, name) {
				return fmt.Sprintf("%s, got %q", want, shown(name, h.Value))
			}
		}
		return want + ", the answer has no such header"
	}
	why := what + " found nothing"
	if reason := lacks(s.Extract[index-len(c.Headers)].From, reply); reason != none {
		why += ", " + reason
	}
	return why
}

// shown is a value as it is told: cut, and hidden where the name says that it is a secret.
func shown(name, value string) string {
	last := name[strings.LastIndexAny(name, ".]'\"")+1:]
	if redaction.SensitiveHeader(name) || redaction.SensitiveKey(last) {
		return "REDACTED"
	}
	return cut(value, mostValue)
}

const none = "there is none"

// lacks says why there is no value.
func lacks(from profiles.ExtractFrom, reply *attack.Reply) string {
	switch {
	case from == profiles.FromJSON && len(reply.Body) == 0:
		return "the body is empty"
	case from == profiles.FromJSON && !isJSON(reply.Body):
		return "the body is no JSON"
	}
	return none
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
