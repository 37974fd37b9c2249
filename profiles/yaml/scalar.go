package yaml

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
)

// value is one scalar of the syntax.
type value interface {
	// parse reads the text of a scalar. quoted tells "5" from 5. The error cites
	// the text and shows the right spelling.
	parse(text string, quoted bool) error
	// format is the inverse of parse; plain says that it needs no quotes.
	format() (text string, plain bool)
}

type (
	word      string  // an identifier: shown in every output
	text      string  // any text: what it takes from the environment is secret
	rate      float64 // requests per second
	share     float64 // ratio in (0,1]
	precision float64 // ratio
	duration  time.Duration
	count     int
	limit     int           // a count above 0
	timeout   time.Duration // above 0
	weight    float64       // above 0
	toggle    bool
	address   netip.Addr
	engine    profiles.Engine
	protocol  profiles.Protocol
	backoff   bool // exponential
	jitter    bool // full
	proxy     bool // environment
	closer    bool // client
	rowPick   profiles.Pick
	statuses  profiles.StatusSet
	gate      profiles.Gate
	headers   []profiles.Header
	form      []profiles.Header // fields of a form
)

// level is where a ramp begins or ends.
type level struct {
	rate    float64
	conns   int
	isConns bool
}

// idleSpan is the shortest and the longest time of an idle stage.
type idleSpan struct{ from, to time.Duration }

// defaultIdleFrom is where an idle stage begins that gives its end only.
const defaultIdleFrom = time.Second

// peak is what a hold holds.
type peak struct {
	level
	max bool
}

func (v *word) parse(text string, _ bool) error { *v = word(text); return nil }
func (v *word) format() (string, bool)          { return string(*v), false }

func (v *text) parse(s string, _ bool) error { *v = text(s); return nil }
func (v *text) format() (string, bool)       { return string(*v), false }

func (v *rate) parse(text string, _ bool) error {
	r, err := profiles.ParseRate(text)
	*v = rate(r)
	return err
}
func (v *rate) format() (string, bool) { return profiles.FormatRate(float64(*v)), true }

func (v *share) parse(text string, _ bool) error {
	r, err := profiles.ParsePercent(text)
	if err == nil && r == 0 {
		err = errors.New("a target with a share of 0% gets no load: leave the target out")
	}
	*v = share(r)
	return err
}
func (v *share) format() (string, bool) { return profiles.FormatPercent(float64(*v)), true }

func (v *precision) parse(text string, _ bool) error {
	r, err := profiles.ParsePercent(text)
	*v = precision(r)
	return err
}
func (v *precision) format() (string, bool) { return profiles.FormatPercent(float64(*v)), true }

func (v *idleSpan) parse(text string, _ bool) error {
	from, to, ok := strings.Cut(text, "..")
	if !ok {
		to, from = text, profiles.FormatDuration(defaultIdleFrom)
	}
	a, err := profiles.ParseDuration(strings.TrimSpace(from))
	if err != nil {
		return fmt.Errorf("%w; an idle stage has a shortest and a longest time: write 1s..120s", err)
	}
	b, err := profiles.ParseDuration(strings.TrimSpace(to))
	if err != nil {
		return fmt.Errorf("%w; an idle stage has a shortest and a longest time: write 1s..120s", err)
	}
	*v = idleSpan{a, b}
	return nil
}

func (v *idleSpan) format() (string, bool) {
	return profiles.FormatDuration(v.from) + ".." + profiles.FormatDuration(v.to), true
}

func (v *duration) parse(text string, _ bool) error {
	d, err := profiles.ParseDuration(text)
	*v = duration(d)
	return err
}

func (v *duration) format() (string, bool) { return profiles.FormatDuration(time.Duration(*v)), true }

func (v *count) parse(text string, quoted bool) error {
	n, err := strconv.Atoi(text)
	switch {
	case err == nil && !quoted:
		*v = count(n)
		return nil
	case err == nil:
		return fmt.Errorf("%s is text: write the number without quotes", strconv.Quote(text))
	}
	plain := strings.NewReplacer(",", "", "_", "", " ", "").Replace(text)
	switch n, err := strconv.Atoi(plain); {
	case errors.Is(err, strconv.ErrRange):
		return fmt.Errorf("%s is too large: write a smaller number", cite(text))
	case err == nil:
		return fmt.Errorf("%s is not a whole number: write %d", cite(text), n)
	}
	return fmt.Errorf("%s is not a whole number: write one such as 100, without a unit", cite(text))
}
func (v *count) format() (string, bool) { return strconv.Itoa(int(*v)), true }

func (v *limit) parse(text string, quoted bool) error {
	err := (*count)(v).parse(text, quoted)
	if err == nil && *v == 0 {
		err = errors.New("with 0 nothing can be sent: write 1 or more")
	}
	return err
}
func (v *limit) format() (string, bool) { return strconv.Itoa(int(*v)), true }

func (v *timeout) parse(text string, _ bool) error {
	d, err := profiles.ParseDuration(text)
	if err == nil && d == 0 {
		err = fmt.Errorf("no attempt can end within %s: write a time above 0s, such as 5s", text)
	}
	*v = timeout(d)
	return err
}

func (v *timeout) format() (string, bool) { return profiles.FormatDuration(time.Duration(*v)), true }

func (v *weight) parse(text string, quoted bool) error {
	f, err := strconv.ParseFloat(text, 64)
	digits := strings.Trim(text, "0123456789.") == ""
	switch {
	case err == nil && digits && quoted:
		return fmt.Errorf("%s is text: write the number without quotes", strconv.Quote(text))
	case err != nil || !digits:
		return fmt.Errorf("%s is not a number: write one such as 2 or 0.5", cite(text))
	}
	if f <= 0 {
		return fmt.Errorf("a request with a weight of %s is never sent: write a number above 0, or leave the request out", text)
	}
	*v = weight(f)
	return nil
}

func (v *weight) format() (string, bool) { return strconv.FormatFloat(float64(*v), 'f', -1, 64), true }

func (v *toggle) parse(text string, quoted bool) error {
	switch {
	case text == "true" && !quoted, text == "false" && !quoted:
		*v = text == "true"
		return nil
	case text == "true" || text == "false":
		return fmt.Errorf("%s is text: write %s without quotes", strconv.Quote(text), text)
	}
	return fmt.Errorf("%s is neither true nor false: write one of them", cite(text))
}
func (v *toggle) format() (string, bool) { return strconv.FormatBool(bool(*v)), true }

func (v *address) parse(text string, _ bool) error {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return fmt.Errorf("%s is not an IP address: write one such as 10.0.0.5", cite(text))
	}
	*v = address(a)
	return nil
}
func (v *address) format() (string, bool) { return netip.Addr(*v).String(), false }

// one reads a word out of a few.
func one(text, what string, words ...string) (int, error) {
	for i, w := range words {
		if text == w {
			return i, nil
		}
	}
	if near := profiles.Nearest(text, words); near != "" {
		return 0, fmt.Errorf("unknown %s %s; did you mean %q?", what, quote(text), near)
	}
	return 0, fmt.Errorf("unknown %s %s; write one of %s", what, quote(text), strings.Join(words, ", "))
}

func engines() []string {
	return []string{string(profiles.EngineVegeta), string(profiles.EngineDirect)}
}

func (v *engine) parse(text string, _ bool) error {
	i, err := one(text, "engine", engines()...)
	*v = engine(engines()[i])
	return err
}
func (v *engine) format() (string, bool) { return string(*v), true }

func protocols() []string {
	return []string{
		string(profiles.ProtocolAuto), string(profiles.ProtocolHTTP1),
		string(profiles.ProtocolHTTP2), string(profiles.ProtocolH2C),
	}
}

func (v *protocol) parse(text string, _ bool) error {
	i, err := one(text, "protocol", protocols()...)
	*v = protocol(protocols()[i])
	return err
}
func (v *protocol) format() (string, bool) { return string(*v), true }

func backoffs() []string { return []string{"constant", "exponential"} }

func (v *backoff) parse(text string, _ bool) error {
	i, err := one(text, "backoff", backoffs()...)
	*v = i == 1
	return err
}
func (v *backoff) format() (string, bool) { return pick(bool(*v), backoffs()), true }

func jitters() []string { return []string{"none", "full"} }

func (v *jitter) parse(text string, _ bool) error {
	i, err := one(text, "jitter", jitters()...)
	*v = i == 1
	return err
}
func (v *jitter) format() (string, bool) { return pick(bool(*v), jitters()), true }

func proxies() []string { return []string{"none", "environment"} }
func closers() []string { return []string{"target", "client"} }

func (v *proxy) parse(text string, _ bool) error {
	i, err := one(text, "proxy", proxies()...)
	if err != nil && strings.Contains(text, "://") {
		err = errors.New("a proxy is taken from the environment: write proxy: environment, and set HTTP_PROXY or HTTPS_PROXY")
	}
	*v = i == 1
	return err
}

func (v *closer) parse(text string, _ bool) error {
	i, err := one(text, "close-by", closers()...)
	*v = i == 1
	return err
}
func (v *closer) format() (string, bool) { return pick(bool(*v), closers()), true }

func (v *proxy) format() (string, bool) { return pick(bool(*v), proxies()), true }

func pick(second bool, words []string) string {
	if second {
		return words[1]
	}
	return words[0]
}

func (v *level) parse(text string, _ bool) error {
	number, unit, _ := strings.Cut(text, " ")
	if n, err := strconv.Atoi(number); err == nil && n >= 0 && unit == "conns" {
		*v = level{conns: n, isConns: true}
		return nil
	}
	if unit := strings.TrimLeft(text, "0123456789 "); strings.HasPrefix(unit, "con") {
		digits := strings.TrimSpace(strings.TrimSuffix(text, unit))
		if digits == "" || len(digits) > 9 || strings.Contains(digits, " ") {
			digits = "100"
		}
		return fmt.Errorf("%s is not a number of connections: write %s conns", cite(text), digits)
	}
	r, err := profiles.ParseRate(text)
	*v = level{rate: r}
	return err
}

func (v *level) format() (string, bool) {
	if v.isConns {
		return strconv.Itoa(v.conns) + " conns", true
	}
	return profiles.FormatRate(v.rate), true
}

func (v *peak) parse(text string, scalar bool) error {
	if text == "max" {
		*v = peak{max: true}
		return nil
	}
	*v = peak{}
	return v.level.parse(text, scalar)
}

func (v *peak) format() (string, bool) {
	if v.max {
		return "max", true
	}
	return v.level.format()
}

func (v *gate) parse(text string, _ bool) error {
	g, err := profiles.ParseGate(text)
	*v = gate(g)
	return err
}

// format keeps the user's words where they say what the gate is.
func (v *gate) format() (string, bool) {
	g := profiles.Gate(*v)
	if again, err := profiles.ParseGate(g.Text); err == nil && again == g {
		return g.Text, false
	}
	return g.String(), false
}

// parse reads statuses such as "2xx", "404", "200-299", and lists of them with
// commas.
func (v *statuses) parse(text string, _ bool) error {
	*v = nil
	for _, part := range strings.Split(text, ",") {
		r, ok := parseStatus(strings.TrimSpace(part))
		if code, isGRPC := profiles.ParseGRPCStatus(strings.TrimSpace(part)); isGRPC {
			r, ok = profiles.StatusRange{Low: code, High: code}, true
		}
		if !ok {
			return fmt.Errorf("%s is not a status: write one of HTTP such as 2xx, 404 or 200-204, or of gRPC such as ok or not-found", cite(part))
		}
		*v = append(*v, r)
	}
	return nil
}

func parseStatus(text string) (profiles.StatusRange, bool) {
	if len(text) == 3 && strings.EqualFold(text[1:], "xx") && text[0] >= '1' && text[0] <= '5' {
		low := int(text[0]-'0') * 100
		return profiles.StatusRange{Low: low, High: low + 99}, true
	}
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	low, err := strconv.Atoi(first)
	high, err2 := strconv.Atoi(last)
	return profiles.StatusRange{Low: low, High: high}, err == nil && err2 == nil && len(first) == 3 && len(last) == 3
}

func (v *statuses) format() (string, bool) {
	var parts []string
	for _, r := range *v {
		switch {
		case r.IsGRPC():
			for code := r.Low; code <= r.High; code++ {
				parts = append(parts, profiles.GRPCStatusName(code))
			}
		case r.Low == r.High:
			parts = append(parts, strconv.Itoa(r.Low))
		case r.Low%100 == 0 && r.High == r.Low+99:
			parts = append(parts, strconv.Itoa(r.Low/100)+"xx")
		default:
			parts = append(parts, strconv.Itoa(r.Low)+"-"+strconv.Itoa(r.High))
		}
	}
	return strings.Join(parts, ","), len(parts) == 1
}

// cite shows a piece of the user's text in a message: plain when it is one short
// word.
func cite(text string) string {
	if text == "" || len(text) > longestCited || strings.ContainsAny(text, " \t\r\n\"") || quote(text) != `"`+text+`"` {
		return quote(text)
	}
	return text
}

const longestCited = 60

func quote(text string) string {
	if r := []rune(text); len(r) > longestCited {
		text = string(r[:longestCited]) + "..."
	}
	return strconv.Quote(text)
}
