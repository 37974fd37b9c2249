package scalar

import (
	"fmt"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles/spelling"
)

// The values of journeys.
type (
	Ownership bool // a connection of its own
	OnFailure bool // the journey goes on
	ThinkSpan struct{ From, To time.Duration }
	Arrivals  struct{ From, To float64 }
)

// Ownerships are whose the connections of a user are.
func Ownerships() []string { return []string{"pool", "own"} }

// OnFailures are what becomes of a journey with a step that failed.
func OnFailures() []string { return []string{"end", "skip"} }

func (v *Ownership) Parse(text string, _ bool) error {
	i, err := OneOf(text, "connection", Ownerships()...)
	*v = i == 1
	return err
}
func (v *Ownership) Format() (string, bool) { return Pick(bool(*v), Ownerships()), true }

func (v *OnFailure) Parse(text string, _ bool) error {
	i, err := OneOf(text, "on-failure", OnFailures()...)
	*v = i == 1
	return err
}
func (v *OnFailure) Format() (string, bool) { return Pick(bool(*v), OnFailures()), true }

func (v *ThinkSpan) Parse(text string, _ bool) error {
	from, to, ok := strings.Cut(text, "..")
	if !ok {
		to = from
	}
	a, err := spelling.ParseDuration(strings.TrimSpace(from))
	if err != nil {
		return fmt.Errorf("%w; a pause is one time or a span: write 2s, or 1s..3s", err)
	}
	b, err := spelling.ParseDuration(strings.TrimSpace(to))
	if err != nil {
		return fmt.Errorf("%w; a pause is one time or a span: write 2s, or 1s..3s", err)
	}
	*v = ThinkSpan{a, b}
	return nil
}

func (v *ThinkSpan) Format() (string, bool) {
	if v.From == v.To {
		return spelling.FormatDuration(v.From), true
	}
	return spelling.FormatDuration(v.From) + ".." + spelling.FormatDuration(v.To), true
}

func (v *Arrivals) Parse(text string, _ bool) error {
	from, to, ok := strings.Cut(text, " to ")
	if !ok {
		to = from
	}
	a, err := spelling.ParseRate(strings.TrimSpace(from))
	if err != nil {
		return fmt.Errorf("%w; write {journeys: 20/s to 200/s, over: 2m}, or {journeys: 100/s, for: 1m}", err)
	}
	b, err := spelling.ParseRate(strings.TrimSpace(to))
	if err != nil {
		return fmt.Errorf("%w; write {journeys: 20/s to 200/s, over: 2m}, or {journeys: 100/s, for: 1m}", err)
	}
	*v = Arrivals{a, b}
	return nil
}

func (v *Arrivals) Format() (string, bool) {
	if v.From == v.To {
		return spelling.FormatRate(v.From), true
	}
	return spelling.FormatRate(v.From) + " to " + spelling.FormatRate(v.To), true
}
