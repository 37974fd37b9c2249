package journey

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// mostBody is how much of an answer's body is looked at.
const mostBody = 1 << 20

// Check is a compiled check of answers. It is immutable and safe for concurrent use.
type Check struct {
	profiles.Check
	regexp *regexp.Regexp // nil: none
}

// CompileCheck compiles a check. The error says which expression does not compile.
func CompileCheck(c profiles.Check) (*Check, error) {
	out := &Check{Check: c}
	if c.Regexp == "" {
		return out, nil
	}
	var err error
	out.regexp, err = regexp.Compile(c.Regexp)
	return out, err
}

// Body returns how many bytes of a body the check needs to see; 0: none.
func (c *Check) Body() int {
	if c.Check.Body == "" && c.Regexp == "" && len(c.JSON) == 0 {
		return 0
	}
	return mostBody
}

// Empty reports whether the check asks for nothing.
func (c *Check) Empty() bool {
	return c.Status == nil && c.Body() == 0 && len(c.Headers) == 0
}

// Passes reports whether the answer is what the check asks for, whatever its status.
func (c *Check) Passes(reply *attack.Reply) bool { return c.fails(reply) < 0 }

// fails returns which part of the check the answer fails first, in the order of
// [Content]; -1: none.
func (c *Check) fails(reply *attack.Reply) int {
	body, at := reply.Body, 0
	if c.Check.Body != "" {
		if !strings.Contains(string(body), c.Check.Body) {
			return at
		}
		at++
	}
	if c.Regexp != "" {
		if !c.regexp.Match(body) {
			return at
		}
		at++
	}
	for _, want := range c.JSON {
		if got, ok := jsonValue(body, want.Name); !ok || got != want.Value {
			return at
		}
		at++
	}
	for _, want := range c.Headers {
		if !slices.ContainsFunc(reply.Headers, func(h attack.AnswerHeader) bool {
			return strings.EqualFold(h.Name, want.Name) && strings.Contains(h.Value, want.Value)
		}) {
			return at
		}
		at++
	}
	return -1
}

// Taker takes one value from answers. It is immutable and safe for concurrent use.
type Taker struct {
	profiles.Extract
	regexp *regexp.Regexp
}

// parts returns how many parts of an answer's content the check asks for.
func (c *Check) parts() int {
	n := len(c.JSON) + len(c.Headers)
	if c.Check.Body != "" {
		n++
	}
	if c.Regexp != "" {
		n++
	}
	return n
}

// CompileExtract compiles where a value is. The error says which expression does not
// compile.
func CompileExtract(e profiles.Extract) (*Taker, error) {
	out := &Taker{Extract: e}
	if e.From != profiles.FromRegexp {
		return out, nil
	}
	var err error
	out.regexp, err = regexp.Compile(e.What)
	return out, err
}

// Body returns how many bytes of a body are needed to find the value; 0: none.
func (t *Taker) Body() int {
	if t.From == profiles.FromJSON || t.From == profiles.FromRegexp {
		return mostBody
	}
	return 0
}

// Take returns the value, and false where the answer has none.
func (t *Taker) Take(reply *attack.Reply) (string, bool) {
	switch t.From {
	case profiles.FromJSON:
		return jsonValue(reply.Body, t.What)
	case profiles.FromHeader:
		for _, h := range reply.Headers {
			if strings.EqualFold(h.Name, t.What) {
				return h.Value, true
			}
		}
	case profiles.FromCookie:
		for _, c := range cookiesOf(reply) {
			if c.Name == t.What {
				return c.Value, true
			}
		}
	case profiles.FromRegexp:
		if m := t.regexp.FindSubmatch(reply.Body); len(m) > 1 {
			return string(m[1]), true
		} else if m != nil {
			return string(m[0]), true
		}
	}
	return "", false
}

// cookiesOf returns those that an answer sets.
func cookiesOf(reply *attack.Reply) []*http.Cookie {
	var out []*http.Cookie
	for _, h := range reply.Headers {
		if strings.EqualFold(h.Name, "Set-Cookie") {
			if c, err := http.ParseSetCookie(h.Value); err == nil {
				out = append(out, c)
			}
		}
	}
	return out
}

// jsonValue returns the value at a path such as items.0.id, $.items[0].id too: texts as
// they are, all else as JSON has it. A value that is null is there.
func jsonValue(body []byte, path string) (string, bool) {
	path = strings.NewReplacer("[", ".", "]", "", "'", "", `"`, "").Replace(strings.TrimPrefix(path, "$"))
	path = strings.TrimPrefix(path, ".")
	if !isJSON(body) {
		return "", false
	}
	if path == "" {
		return string(body), true
	}
	value := gjson.GetBytes(body, path)
	return value.String(), value.Exists()
}

func isJSON(body []byte) bool { return gjson.ValidBytes(body) }
