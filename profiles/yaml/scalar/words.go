package scalar

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
)

// OneOf reads a word out of a few.
func OneOf(text, what string, words ...string) (int, error) {
	for i, w := range words {
		if text == w {
			return i, nil
		}
	}
	if near := spelling.Nearest(text, words); near != "" {
		return 0, fmt.Errorf("unknown %s %s; did you mean %q?", what, spelling.Quote(text), near)
	}
	return 0, fmt.Errorf("unknown %s %s; write one of %s", what, spelling.Quote(text), strings.Join(words, ", "))
}

// Engines are what sends the load.
func Engines() []string {
	return []string{string(profiles.EngineVegeta), string(profiles.EngineDirect)}
}

func (v *Engine) Parse(text string, _ bool) error {
	i, err := OneOf(text, "engine", Engines()...)
	*v = Engine(Engines()[i])
	return err
}
func (v *Engine) Format() (string, bool) { return string(*v), true }

// Protocols are the versions of HTTP.
func Protocols() []string {
	return []string{
		string(profiles.ProtocolAuto), string(profiles.ProtocolHTTP1),
		string(profiles.ProtocolHTTP2), string(profiles.ProtocolH2C),
	}
}

func (v *Protocol) Parse(text string, _ bool) error {
	i, err := OneOf(text, "protocol", Protocols()...)
	*v = Protocol(Protocols()[i])
	return err
}
func (v *Protocol) Format() (string, bool) { return string(*v), true }

// Backoffs are how the pauses between retries grow.
func Backoffs() []string { return []string{"constant", "exponential"} }

func (v *Backoff) Parse(text string, _ bool) error {
	i, err := OneOf(text, "backoff", Backoffs()...)
	*v = i == 1
	return err
}
func (v *Backoff) Format() (string, bool) { return Pick(bool(*v), Backoffs()), true }

// Jitters are how much of a pause is random.
func Jitters() []string { return []string{"none", "full"} }

func (v *Jitter) Parse(text string, _ bool) error {
	i, err := OneOf(text, "jitter", Jitters()...)
	*v = i == 1
	return err
}
func (v *Jitter) Format() (string, bool) { return Pick(bool(*v), Jitters()), true }

// Proxies are where a proxy is taken from.
func Proxies() []string { return []string{"none", "environment"} }

// Closers are who ends a connection that serves one request.
func Closers() []string { return []string{"target", "client"} }

func (v *Proxy) Parse(text string, _ bool) error {
	i, err := OneOf(text, "proxy", Proxies()...)
	if err != nil && strings.Contains(text, "://") {
		err = errors.New("a proxy is taken from the environment: write proxy: environment, and set HTTP_PROXY or HTTPS_PROXY")
	}
	*v = i == 1
	return err
}

func (v *Closer) Parse(text string, _ bool) error {
	i, err := OneOf(text, "close-by", Closers()...)
	*v = i == 1
	return err
}
func (v *Closer) Format() (string, bool) { return Pick(bool(*v), Closers()), true }

func (v *Proxy) Format() (string, bool) { return Pick(bool(*v), Proxies()), true }

// Pick returns the first or the second of two words.
func Pick(second bool, words []string) string {
	if second {
		return words[1]
	}
	return words[0]
}

// Picks are the ways to pick a row of a table.
func Picks() []string {
	var out []string
	for _, p := range profiles.Picks() {
		out = append(out, string(p))
	}
	return out
}

func (v *RowPick) Parse(text string, _ bool) error {
	if !slices.Contains(Picks(), text) {
		return errors.New(spelling.Cite(text) + " is no way to pick a row: write sequential, random or once")
	}
	*v = RowPick(text)
	return nil
}

func (v *RowPick) Format() (string, bool) { return string(*v), true }
