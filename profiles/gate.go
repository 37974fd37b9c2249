package profiles

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles/spelling"
)

// GateMetric is what a gate measures.
type GateMetric string

// The gate metrics.
const (
	GateWireResets    GateMetric = "wire-resets"    // per attempt
	GateVisibleResets GateMetric = "visible-resets" // per request
	GateFailures      GateMetric = "failures"       // per request
	GateLost          GateMetric = "lost"           // per transaction that was accepted, to be done later
	GateLatency       GateMetric = "latency"        // pNN of successful requests from due time
	GateHeadroom      GateMetric = "headroom"       // smallest over hosts, processes and time
	GateOnset         GateMetric = "onset"          // lower bound of the onset load
	GateCrosses       GateMetric = "crosses"        // load at which failures pass a share
)

// IsLoad reports whether a metric is a load: where something begins.
func (m GateMetric) IsLoad() bool { return m == GateOnset || m == GateCrosses }

// Op is a comparison.
type Op string

// Holds reports whether a compares so to b.
func (o Op) Holds(a, b float64) bool {
	switch o {
	case Less:
		return a < b
	case LessOrEqual:
		return a <= b
	case Greater:
		return a > b
	case GreaterOrEqual:
		return a >= b
	}
	return a == b
}

// The comparisons.
const (
	Less           Op = "<"
	LessOrEqual    Op = "<="
	Greater        Op = ">"
	GreaterOrEqual Op = ">="
	Equal          Op = "=="
)

// Unit is the unit of a gate's value.
type Unit uint8

// The units of gate values.
const (
	UnitCount    Unit = iota // a plain count
	UnitRatio                // written as a percentage, held in [0,1]
	UnitRate                 // requests per second
	UnitDuration             // Value is in seconds
)

// Gate is one parsed gate or abort-if expression, such as
// "failures(orders) within 10s < 1% up to 1500/s".
type Gate struct {
	Text       string // as the user wrote it, spaces normalised
	Metric     GateMetric
	Percentile float64       // GateLatency: in (0,1), 0.99 for p99
	Share      float64       // GateCrosses: in (0,1), the share of requests that fail
	Of         string        // target, or resource of a headroom; empty: all targets
	Within     time.Duration // any sliding window of this length; 0: the whole run
	Op         Op
	Value      float64
	Unit       Unit
	Baseline   float64 // factor on the baseline's value, which takes the place of Value; 0: none
	UpTo       float64 // judged on windows offered at most this many requests per second; 0: all
}

// String returns the expression in its one canonical form. ParseGate of it gives
// the same gate, with the canonical form as its Text.
func (g Gate) String() string {
	s := g.Subject() + " " + string(g.Op) + " " + g.FormatValue()
	if g.UpTo > 0 {
		s += " up to " + spelling.FormatRate(g.UpTo)
	}
	return s
}

// Subject is what stands left of the comparison.
func (g Gate) Subject() string {
	s := string(g.Metric)
	if g.Metric == GateCrosses {
		s += "(" + spelling.FormatPercent(g.Share)
		if g.Of != "" {
			s += ", " + g.Of
		}
		return s + ")"
	}
	if g.Metric == GateLatency {
		s = "p" + strings.TrimSuffix(spelling.FormatPercent(g.Percentile), "%")
	}
	if g.Of != "" {
		s += "(" + g.Of + ")"
	}
	if g.Within > 0 {
		s += " within " + spelling.FormatDuration(g.Within)
	}
	return s
}

// FormatValue returns what stands right of the comparison.
func (g Gate) FormatValue() string {
	switch g.Baseline {
	case 0:
	case 1:
		return BaselineWord
	default:
		return strconv.FormatFloat(g.Baseline, 'f', -1, 64) + " * " + BaselineWord
	}
	switch g.Unit {
	case UnitRatio:
		return spelling.FormatPercent(g.Value)
	case UnitRate:
		return spelling.FormatRate(g.Value)
	case UnitDuration:
		return spelling.FormatDuration(time.Duration(math.Round(g.Value * float64(time.Second))))
	}
	return strconv.FormatFloat(g.Value, 'f', -1, 64)
}

// baselineWord stands for the value that the baseline has.
const BaselineWord = "baseline"

// Example is a right gate of the same metric, for messages.
func (g Gate) Example(op Op) string {
	value := map[GateMetric]string{GateLatency: "250ms", GateHeadroom: "20%", GateOnset: "1500/s", GateCrosses: "1500/s"}[g.Metric]
	if value == "" {
		value = "0.1%"
	}
	if op == "" {
		op = Less
		if g.Metric == GateHeadroom || g.Metric.IsLoad() {
			op = Greater
		}
	}
	return fmt.Sprintf("%s %s %s", g.Subject(), op, value)
}
