package profiles

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles/spelling"
)

func (p *gateParser) value(g *Gate) error {
	text := p.take()
	if text == "" || text == "up" || text == "within" || isOperator(text) || text == "(" || text == ")" {
		return fmt.Errorf("a value is missing after %s: write %s", g.Op, g.Example(g.Op))
	}
	if isBaseline, err := p.baseline(g, text); isBaseline || err != nil {
		return err
	}
	if comma := strings.Replace(text, ",", ".", 1); comma != text && strings.Trim(comma, "0123456789.") != comma {
		return fmt.Errorf("%s has a comma: write a point, %s", spelling.Cite(text), spelling.Cite(comma))
	}
	switch g.Metric {
	case GateLatency:
		d, err := spelling.ParseDuration(text)
		switch {
		case spelling.IsDigits(text) && strings.Trim(text, "0") != "": // most people think of latencies in milliseconds
			return fmt.Errorf("%s needs a unit: write %sms", spelling.Cite(text), spelling.Cite(text))
		case err != nil && !spelling.IsDigits(text):
			return fmt.Errorf("%s is compared with a duration: %w", g.Subject(), err)
		case d <= 0 || d > 24*time.Hour:
			return fmt.Errorf("%s is not a latency above 0 and up to 24h: write %s", text, g.Example(g.Op))
		}
		g.Value, g.Unit = d.Seconds(), UnitDuration
	case GateOnset, GateCrosses:
		r, err := spelling.ParseRate(text)
		switch {
		case err != nil:
			return fmt.Errorf("%s is compared with a rate: %w", g.Subject(), err)
		case r <= 0:
			return fmt.Errorf("%s is not a rate above 0: write %s", text, g.Example(g.Op))
		}
		g.Value, g.Unit = r, UnitRate
	case GateHeadroom:
		v, err := parseRatio(text)
		if err != nil {
			return fmt.Errorf("headroom is compared with a percentage: %w", err)
		}
		g.Value, g.Unit = v, UnitRatio
	default:
		return p.share(g, text)
	}
	return nil
}

// maxFactor bounds the factor on a baseline.
const maxFactor = 100

// baseline reads "0.95 * baseline", "baseline" or "95% * baseline". isBaseline is false for
// any other value.
func (p *gateParser) baseline(g *Gate, text string) (isBaseline bool, err error) {
	all := text
	for next := p.peek(); strings.HasPrefix(next, "*") || strings.HasSuffix(all, "*") && next != ""; next = p.peek() {
		all += p.take()
	}
	if p.peek() == "of" { // "95% of baseline"
		all += " " + p.take() + " " + p.take()
	}
	if !strings.Contains(all, "*") && !strings.Contains(all, BaselineWord) {
		return false, nil
	}
	example := fmt.Sprintf("%s %s 0.95 * baseline", g.Subject(), g.Op)
	if g.Op == Less || g.Op == LessOrEqual {
		example = fmt.Sprintf("%s %s 1.1 * baseline", g.Subject(), g.Op)
	}
	parts := strings.Split(all, "*")
	if len(parts) == 2 && parts[0] == BaselineWord {
		parts[0], parts[1] = parts[1], parts[0]
	}
	if parts[len(parts)-1] != BaselineWord || len(parts) > 2 {
		return true, fmt.Errorf("%s is no factor on the baseline: write %s", spelling.Quote(all), example)
	}
	g.Baseline = 1
	if len(parts) == 2 {
		var factor float64
		if strings.HasSuffix(parts[0], "%") {
			factor, err = spelling.ParsePercent(parts[0])
		} else {
			factor, err = spelling.ParseDecimal(parts[0], parts[0])
		}
		if err != nil || factor <= 0 || factor > maxFactor {
			return true, fmt.Errorf("%s is no factor on the baseline above 0 and up to %d: write %s", spelling.Quote(parts[0]), maxFactor, example)
		}
		g.Baseline = factor
	}
	switch g.Metric {
	case GateLatency:
		g.Unit = UnitDuration
	case GateOnset, GateCrosses:
		g.Unit = UnitRate
	default:
		g.Unit = UnitRatio
	}
	return true, nil
}

// share reads the value of resets and failures: a count or a percentage.
func (p *gateParser) share(g *Gate, text string) (err error) {
	switch {
	case spelling.IsDigits(text) && len(text) <= 15: // exact as a float64
		g.Value, err = strconv.ParseFloat(text, 64)
		g.Unit = UnitCount
	case strings.HasSuffix(text, "%"):
		g.Value, err = parseRatio(text)
		g.Unit = UnitRatio
	case spelling.IsDecimal(text):
		err = fmt.Errorf("%s is neither a whole count nor a percentage: write %s%%", spelling.Cite(text), text)
	default:
		err = fmt.Errorf("%s is neither a count nor a percentage: write %s, or %s %s 3", spelling.Cite(text), g.Example(g.Op), g.Subject(), g.Op)
	}
	return err
}

func parseRatio(text string) (float64, error) {
	v, err := spelling.ParsePercent(text)
	if err == nil && v > 1 {
		err = fmt.Errorf("%s is more than 100%%: write a percentage from 0%% to 100%%", spelling.Cite(text))
	}
	return v, err
}
