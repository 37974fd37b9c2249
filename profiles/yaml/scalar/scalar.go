package scalar

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
)

// The single values; what is above 0 says so where it is read.
type (
	Word      string  // an identifier: shown in every output
	Text      string  // any text: what it takes from the environment is secret
	Rate      float64 // requests per second
	Share     float64 // ratio in (0,1]
	Precision float64 // ratio
	Portion   float64 // ratio in [0,1]
	Duration  time.Duration
	Count     int
	Limit     int           // a count above 0
	Timeout   time.Duration // above 0
	Weight    float64       // above 0
	Toggle    bool
	Address   netip.Addr
	Engine    profiles.Engine
	Protocol  profiles.Protocol
	Backoff   bool // exponential
	Jitter    bool // full
	Proxy     bool // environment
	Closer    bool // client
	RowPick   profiles.Pick
	Statuses  profiles.StatusSet
	Gate      profiles.Gate
	Headers   []profiles.Header
	Form      []profiles.Header // fields of a form
)

// Level is where a ramp begins or ends.
type Level struct {
	Rate    float64
	Conns   int
	IsConns bool
}

// IdleSpan is the shortest and the longest time of an idle stage.
type IdleSpan struct{ From, To time.Duration }

// defaultIdleFrom is where an idle stage begins that gives its end only.
const defaultIdleFrom = time.Second

// Peak is what a hold holds.
type Peak struct {
	Level
	Max bool
}

func (v *Word) Parse(text string, _ bool) error { *v = Word(text); return nil }
func (v *Word) Format() (string, bool)          { return string(*v), false }

func (v *Text) Parse(s string, _ bool) error { *v = Text(s); return nil }

// FreeText marks it for the decoder.
func (v *Text) FreeText() {}

func (v *Text) Format() (string, bool) { return string(*v), false }

func (v *Rate) Parse(text string, _ bool) error {
	r, err := spelling.ParseRate(text)
	*v = Rate(r)
	return err
}
func (v *Rate) Format() (string, bool) { return spelling.FormatRate(float64(*v)), true }

func (v *Share) Parse(text string, _ bool) error {
	r, err := spelling.ParsePercent(text)
	if err == nil && r == 0 {
		err = errors.New("a target with a share of 0% gets no load: leave the target out")
	}
	*v = Share(r)
	return err
}
func (v *Share) Format() (string, bool) { return spelling.FormatPercent(float64(*v)), true }

func (v *Precision) Parse(text string, _ bool) error {
	r, err := spelling.ParsePercent(text)
	*v = Precision(r)
	return err
}
func (v *Precision) Format() (string, bool) { return spelling.FormatPercent(float64(*v)), true }

func (v *Portion) Parse(text string, _ bool) error {
	r, err := spelling.ParsePercent(text)
	if err == nil && r > 1 {
		err = fmt.Errorf("%s is more than all of them: write at most 100%%", spelling.Cite(text))
	}
	*v = Portion(r)
	return err
}
func (v *Portion) Format() (string, bool) { return spelling.FormatPercent(float64(*v)), true }

func (v *IdleSpan) Parse(text string, _ bool) error {
	from, to, ok := strings.Cut(text, "..")
	if !ok {
		to, from = text, spelling.FormatDuration(defaultIdleFrom)
	}
	a, err := spelling.ParseDuration(strings.TrimSpace(from))
	if err != nil {
		return fmt.Errorf("%w; an idle stage has a shortest and a longest time: write 1s..120s", err)
	}
	b, err := spelling.ParseDuration(strings.TrimSpace(to))
	if err != nil {
		return fmt.Errorf("%w; an idle stage has a shortest and a longest time: write 1s..120s", err)
	}
	*v = IdleSpan{a, b}
	return nil
}

func (v *IdleSpan) Format() (string, bool) {
	return spelling.FormatDuration(v.From) + ".." + spelling.FormatDuration(v.To), true
}

func (v *Duration) Parse(text string, _ bool) error {
	d, err := spelling.ParseDuration(text)
	*v = Duration(d)
	return err
}

func (v *Duration) Format() (string, bool) { return spelling.FormatDuration(time.Duration(*v)), true }

func (v *Count) Parse(text string, quoted bool) error {
	n, err := strconv.Atoi(text)
	switch {
	case err == nil && !quoted:
		*v = Count(n)
		return nil
	case err == nil:
		return fmt.Errorf("%s is text: write the number without quotes", strconv.Quote(text))
	}
	plain := strings.NewReplacer(",", "", "_", "", " ", "").Replace(text)
	switch n, err := strconv.Atoi(plain); {
	case errors.Is(err, strconv.ErrRange):
		return fmt.Errorf("%s is too large: write a smaller number", spelling.Cite(text))
	case err == nil:
		return fmt.Errorf("%s is not a whole number: write %d", spelling.Cite(text), n)
	}
	return fmt.Errorf("%s is not a whole number: write one such as 100, without a unit", spelling.Cite(text))
}
func (v *Count) Format() (string, bool) { return strconv.Itoa(int(*v)), true }

func (v *Limit) Parse(text string, quoted bool) error {
	err := (*Count)(v).Parse(text, quoted)
	if err == nil && *v == 0 {
		err = errors.New("with 0 nothing can be sent: write 1 or more")
	}
	return err
}
func (v *Limit) Format() (string, bool) { return strconv.Itoa(int(*v)), true }

func (v *Timeout) Parse(text string, _ bool) error {
	d, err := spelling.ParseDuration(text)
	if err == nil && d == 0 {
		err = fmt.Errorf("no attempt can end within %s: write a time above 0s, such as 5s", text)
	}
	*v = Timeout(d)
	return err
}

func (v *Timeout) Format() (string, bool) { return spelling.FormatDuration(time.Duration(*v)), true }

func (v *Weight) Parse(text string, quoted bool) error {
	f, err := strconv.ParseFloat(text, 64)
	digits := strings.Trim(text, "0123456789.") == ""
	switch {
	case err == nil && digits && quoted:
		return fmt.Errorf("%s is text: write the number without quotes", strconv.Quote(text))
	case err != nil || !digits:
		return fmt.Errorf("%s is not a number: write one such as 2 or 0.5", spelling.Cite(text))
	}
	if f <= 0 {
		return fmt.Errorf("a request with a weight of %s is never sent: write a number above 0, or leave the request out", text)
	}
	*v = Weight(f)
	return nil
}

func (v *Weight) Format() (string, bool) { return strconv.FormatFloat(float64(*v), 'f', -1, 64), true }

func (v *Toggle) Parse(text string, quoted bool) error {
	switch {
	case text == "true" && !quoted, text == "false" && !quoted:
		*v = text == "true"
		return nil
	case text == "true" || text == "false":
		return fmt.Errorf("%s is text: write %s without quotes", strconv.Quote(text), text)
	}
	return fmt.Errorf("%s is neither true nor false: write one of them", spelling.Cite(text))
}
func (v *Toggle) Format() (string, bool) { return strconv.FormatBool(bool(*v)), true }

func (v *Address) Parse(text string, _ bool) error {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return fmt.Errorf("%s is not an IP address: write one such as 10.0.0.5", spelling.Cite(text))
	}
	*v = Address(a)
	return nil
}
func (v *Address) Format() (string, bool) { return netip.Addr(*v).String(), false }

func (v *Level) Parse(text string, _ bool) error {
	number, unit, _ := strings.Cut(text, " ")
	if n, err := strconv.Atoi(number); err == nil && n >= 0 && unit == "conns" {
		*v = Level{Conns: n, IsConns: true}
		return nil
	}
	if unit := strings.TrimLeft(text, "0123456789 "); strings.HasPrefix(unit, "con") {
		digits := strings.TrimSpace(strings.TrimSuffix(text, unit))
		if digits == "" || len(digits) > 9 || strings.Contains(digits, " ") {
			digits = "100"
		}
		return fmt.Errorf("%s is not a number of connections: write %s conns", spelling.Cite(text), digits)
	}
	r, err := spelling.ParseRate(text)
	*v = Level{Rate: r}
	return err
}

func (v *Level) Format() (string, bool) {
	if v.IsConns {
		return strconv.Itoa(v.Conns) + " conns", true
	}
	return spelling.FormatRate(v.Rate), true
}

func (v *Peak) Parse(text string, scalar bool) error {
	if text == "max" {
		*v = Peak{Max: true}
		return nil
	}
	*v = Peak{}
	return v.Level.Parse(text, scalar)
}

func (v *Peak) Format() (string, bool) {
	if v.Max {
		return "max", true
	}
	return v.Level.Format()
}

func (v *Gate) Parse(text string, _ bool) error {
	g, err := profiles.ParseGate(text)
	*v = Gate(g)
	return err
}

// Format keeps the user's words where they say what the gate is.
func (v *Gate) Format() (string, bool) {
	g := profiles.Gate(*v)
	if again, err := profiles.ParseGate(g.Text); err == nil && again == g {
		return g.Text, false
	}
	return g.String(), false
}
