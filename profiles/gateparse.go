package profiles

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles/spelling"
)

// ParseGate parses one gate or abort-if expression:
//
//	gate   = metric [ "within" duration ] op ( value | [ factor "*" ] "baseline" ) [ "up to" rate ]
//	metric = name [ "(" target ")" ] | "headroom" "(" resource ")" | "crosses" "(" share [ "," target ] ")"
//	name   = "wire-resets" | "visible-resets" | "failures" | "lost" | "onset" | "p" percentile
//	op     = "<" | "<=" | ">" | ">=" | "=="
//
// Resets and failures take a count or a percentage, percentiles a duration,
// headroom a percentage, onset and crosses a rate. Whether the target and the resource
// exist, and whether the expression makes sense as a gate or as an abort-if, is
// for profiles/rules to say. The error shows the right spelling.
func ParseGate(text string) (Gate, error) {
	if len(text) > maxGate {
		return Gate{}, fmt.Errorf("the expression has %d characters, more than %d: write one such as failures < 0.1%% up to 1500/s", len(text), maxGate)
	}
	p := gateParser{tokens: gateTokens(text)}
	g, err := p.gate()
	if err != nil {
		return Gate{}, err
	}
	g.Text = joinGateTokens(p.tokens)
	return g, nil
}

// maxGate is more than any gate needs: the longest names and numbers fit several
// times.
const maxGate = 1000

// gateTokens splits an expression into words, parentheses and operators, in time
// proportional to its length.
func gateTokens(text string) []string {
	const operators = "<>=!≤≥≠"
	const (
		space = iota
		parenthesis
		operator
		word
	)
	kindOf := func(r rune) int {
		switch {
		case strings.ContainsRune(" \t\r\n", r):
			return space
		case r == '(' || r == ')':
			return parenthesis
		case strings.ContainsRune(operators, r):
			return operator
		}
		return word
	}
	var tokens []string
	begin, last := 0, space
	for i, r := range text {
		kind := kindOf(r)
		if kind == last && kind != parenthesis {
			continue
		}
		if last != space {
			tokens = append(tokens, text[begin:i])
		}
		begin, last = i, kind
	}
	if last != space {
		tokens = append(tokens, text[begin:])
	}
	return tokens
}

func joinGateTokens(tokens []string) string {
	var b strings.Builder
	for i, t := range tokens {
		tight := t == "(" || t == ")" || i > 0 && tokens[i-1] == "("
		if i > 0 && !tight {
			b.WriteByte(' ')
		}
		b.WriteString(t)
	}
	return b.String()
}

// gateParser reads tokens from left to right.
type gateParser struct {
	tokens []string
	next   int
}

func (p *gateParser) peek() string {
	if p.next < len(p.tokens) {
		return p.tokens[p.next]
	}
	return ""
}

func (p *gateParser) take() string {
	t := p.peek()
	if t != "" {
		p.next++
	}
	return t
}

func (p *gateParser) accept(token string) bool {
	if p.peek() == token {
		p.next++
		return true
	}
	return false
}

func (p *gateParser) gate() (g Gate, err error) {
	if err := p.metric(&g); err != nil {
		return g, err
	}
	if p.accept("within") {
		if err := p.within(&g); err != nil {
			return g, err
		}
	}
	if g.Op, err = p.operator(g); err != nil {
		return g, err
	}
	if err := p.value(&g); err != nil {
		return g, err
	}
	if p.peek() == "up" {
		if err := p.upTo(&g); err != nil {
			return g, err
		}
	}
	if err := p.end(g); err != nil {
		return g, err
	}
	return g, checkGate(g)
}

func (p *gateParser) metric(g *Gate) error {
	name := p.take()
	if name == string(GateCrosses) {
		return p.crosses(g)
	}
	switch m := GateMetric(name); m {
	case GateWireResets, GateVisibleResets, GateFailures, GateLost, GateHeadroom, GateOnset:
		g.Metric = m
	default:
		percentile, isPercentile, err := parsePercentile(name)
		if err != nil {
			return err
		}
		if !isPercentile {
			return unknownMetric(name)
		}
		g.Metric, g.Percentile = GateLatency, percentile
	}
	if p.accept("(") {
		g.Of = p.take()
		if g.Of == "" || g.Of == ")" || g.Of == "(" {
			return fmt.Errorf("nothing stands in the parentheses of %s: write %s(%s)", name, name, exampleOf(g.Metric))
		}
		if !p.accept(")") {
			return fmt.Errorf("the parenthesis of %s is not closed after one name: write %s(%s)", name, name, g.Of)
		}
	}
	if g.Metric == GateHeadroom && g.Of == "" {
		return errors.New("headroom of what? write a resource: headroom(open-files) > 20%")
	}
	return nil
}

// crosses reads what stands in the parentheses after crosses: a share, and perhaps a
// target after a comma.
func (p *gateParser) crosses(g *Gate) error {
	const example = "crosses(0.1%) > 1500/s"
	g.Metric = GateCrosses
	if !p.accept("(") {
		return errors.New("crosses what? write a share of failed requests: " + example)
	}
	var inside []string
	for p.peek() != ")" {
		t := p.take()
		if t == "" || t == "(" || len(inside) > 4 {
			return errors.New("the parenthesis of crosses is not closed after a share: write " + example)
		}
		inside = append(inside, strings.FieldsFunc(t, func(r rune) bool { return r == ',' })...)
	}
	p.take()
	switch len(inside) {
	case 0:
		return errors.New("nothing stands in the parentheses of crosses: write " + example)
	case 1:
	case 2:
		g.Of = inside[1]
	default:
		return errors.New("crosses takes a share and one target: write crosses(0.1%, orders) > 1500/s")
	}
	if spelling.IsDecimal(inside[0]) {
		return fmt.Errorf("%s needs a unit: write crosses(%s%%)", spelling.Cite(inside[0]), inside[0])
	}
	share, err := parseRatio(inside[0])
	switch {
	case err != nil:
		return fmt.Errorf("crosses takes a share of failed requests, such as %s: %w", example, err)
	case share <= 0 || share >= 1:
		return fmt.Errorf("%s is no share that failures could pass: write one above 0%% and below 100%%, such as %s", spelling.Cite(inside[0]), example)
	}
	g.Share = share
	return nil
}

// parsePercentile reads "p99.9" as 0.999.
func parsePercentile(name string) (p float64, ok bool, err error) {
	digits, ok := strings.CutPrefix(name, "p")
	if !ok || digits == "" || strings.Trim(digits, "0123456789.") != "" {
		return 0, false, nil
	}
	if spelling.IsDecimal(digits) {
		if p, err := spelling.ParseDecimal(name, digits+"e-2"); err == nil && p > 0 && p < 1 {
			return p, true, nil
		}
	}
	return 0, true, fmt.Errorf("%s is not a percentile: write one above p0 and below p100, such as p99 or p99.9", spelling.Cite(name))
}

func unknownMetric(name string) error {
	const example = "failures < 0.1% up to 1500/s"
	meant := map[string]string{
		"": "", "resets": `"wire-resets" or "visible-resets"`, "reset": `"wire-resets" or "visible-resets"`,
		"errors": `"failures"`, "error": `"failures"`, "error-rate": `"failures"`, "failed": `"failures"`,
		"latency": `"p99"`, "median": `"p50"`, "max": `"p99.9"`, "capacity": `"onset"`, "crossing": `"crosses"`, "cross": `"crosses"`,
	}
	if name == "" {
		return fmt.Errorf("the gate is empty: write one such as %s", example)
	}
	if right := meant[name]; right != "" {
		return fmt.Errorf("unknown metric %s; did you mean %s?", spelling.Quote(name), right)
	}
	if strings.Trim(name, "<>=!≤≥≠()") == "" {
		return fmt.Errorf("a gate begins with what it measures, not with %s: write one such as %s", spelling.Quote(name), example)
	}
	return fmt.Errorf("unknown metric %s%s", spelling.Quote(name),
		spelling.Suggest(name, []string{"wire-resets", "visible-resets", "failures", "lost", "p99", "headroom", "onset", "crosses"}))
}

func exampleOf(m GateMetric) string {
	if m == GateHeadroom {
		return "open-files"
	}
	return "orders"
}

func (p *gateParser) within(g *Gate) error {
	text := p.take()
	d, err := spelling.ParseDuration(text)
	switch {
	case text == "" || isOperator(text):
		return fmt.Errorf("a length is missing after within: write %s within 10s", g.Subject())
	case err != nil:
		return fmt.Errorf("within: %w", err)
	case d < time.Second || d > 24*time.Hour:
		return fmt.Errorf("within %s is not between 1s and 24h: write within 10s", text)
	}
	g.Within = d
	return nil
}

// isOperator reports whether a token is one of the characters of comparisons.
func isOperator(token string) bool { return token != "" && strings.Trim(token, "<>=!≤≥≠") == "" }

func (p *gateParser) operator(g Gate) (Op, error) {
	token := p.take()
	switch op := Op(token); op {
	case Less, LessOrEqual, Greater, GreaterOrEqual, Equal:
		return op, nil
	}
	right := map[string]Op{"=": Equal, "===": Equal, "=<": LessOrEqual, "≤": LessOrEqual, "=>": GreaterOrEqual, "≥": GreaterOrEqual, "<<": Less, ">>": Greater}
	switch {
	case right[token] != "":
		return "", fmt.Errorf("%s is not a comparison: write %s", token, right[token])
	case isOperator(token):
		return "", fmt.Errorf("%s is not a comparison: write one of < <= > >= ==", token)
	case token == "up":
		return "", fmt.Errorf("\"up to\" stands at the end: write %s up to 1500/s", g.Example(""))
	case token == "":
		return "", fmt.Errorf("a comparison is missing after %s: write %s", g.Subject(), g.Example(""))
	}
	return "", fmt.Errorf("a comparison is missing before %s: write %s", spelling.Quote(token), g.Example(""))
}

func (p *gateParser) upTo(g *Gate) error {
	p.take()
	if !p.accept("to") {
		return errors.New("\"up\" is followed by \"to\" and a rate: write up to 1500/s")
	}
	text := p.take()
	if text == "" {
		return errors.New("a rate is missing after \"up to\": write up to 1500/s")
	}
	r, err := spelling.ParseRate(text)
	switch {
	case err != nil:
		return fmt.Errorf("up to: %w", err)
	case r <= 0:
		return fmt.Errorf("up to %s leaves nothing to judge: write up to 1500/s", text)
	}
	g.UpTo = r
	return nil
}

func (p *gateParser) end(g Gate) error {
	extra := p.take()
	switch {
	case extra == "":
		return nil
	case extra == "within" && g.UpTo == 0:
		return fmt.Errorf("\"within\" stands before the comparison: write %s within 10s %s %s", g.Subject(), g.Op, g.FormatValue())
	case extra == "%" || extra == "/s":
		return fmt.Errorf("a value and its unit are one word: write %s%s", p.tokens[p.next-2], extra)
	case extra == "and" || extra == "or" || extra == "&&" || extra == "||":
		return fmt.Errorf("%q joins nothing here: write two gates, one a line", extra)
	}
	return fmt.Errorf("%s is too much after %s: end the gate there, or continue with \"up to 1500/s\"", spelling.Quote(extra), g.String())
}

// checkGate holds the rules that need the whole gate.
func checkGate(g Gate) error {
	switch {
	case g.Baseline > 0 && g.Within > 0:
		return fmt.Errorf("a baseline is compared over the whole run: leave out \"within %s\"", spelling.FormatDuration(g.Within))
	case g.Baseline > 0 && g.Metric == GateLatency && g.Percentile != 0.5 && g.Percentile != 0.99:
		return fmt.Errorf("reports hold p50 and p99 at each load, so a baseline has no %s: write p99 %s %s", g.Subject(), g.Op, g.FormatValue())
	case g.Baseline > 0 && g.UpTo > 0 && g.Metric == GateHeadroom:
		return fmt.Errorf("a headroom is compared with a baseline over the whole run: leave out \"up to %s\"", spelling.FormatRate(g.UpTo))
	case g.Baseline > 0 && g.Op == Equal:
		return fmt.Errorf("no two runs are quite equal: write %s <= 1.1 * baseline, or >= 0.9 * baseline", g.Subject())
	case g.Baseline > 0 && (g.Op == Greater || g.Op == GreaterOrEqual) && !g.Metric.IsLoad() && g.Metric != GateHeadroom:
		return fmt.Errorf("the less the better: write %s <= %s", g.Subject(), g.FormatValue())
	case g.Within > 0 && (g.Metric.IsLoad() || g.Metric == GateHeadroom):
		return fmt.Errorf("%s is judged over the whole run: leave out \"within %s\"", g.Metric, spelling.FormatDuration(g.Within))
	case g.UpTo > 0 && g.Metric.IsLoad():
		return fmt.Errorf("%s is a load itself: leave out \"up to %s\"", g.Subject(), spelling.FormatRate(g.UpTo))
	case g.Op == Equal && (g.Metric == GateLatency || g.Metric == GateHeadroom || g.Metric.IsLoad()):
		op := Less
		if g.Metric != GateLatency {
			op = Greater
		}
		return fmt.Errorf("a measured %s is never quite %s: write %s %s %s", g.Metric, g.FormatValue(), g.Subject(), op, g.FormatValue())
	case g.Metric.IsLoad() && (g.Op == Less || g.Op == LessOrEqual):
		what := "the later the onset the better"
		if g.Metric == GateCrosses {
			what = "the later failures pass a share the better"
		}
		return fmt.Errorf("%s: write %s > %s", what, g.Subject(), g.FormatValue())
	}
	return nil
}
