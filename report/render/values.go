package render

import (
	"math"
	"strings"

	"github.com/rampload/rampload/report"
)

// none stands for what was not measured or does not apply.
const none = "-"

// rate prints a load without decimals from 10/s on.
func rate(v *float64) string {
	if v == nil {
		return none
	}
	return report.FormatRate(whole(*v))
}

func whole(v float64) float64 {
	if math.Abs(v) >= 10 {
		return math.Round(v)
	}
	return v
}

// interval prints "1,490-1,525", without the unit.
func interval(low, high *float64) string {
	if low == nil || high == nil {
		return none
	}
	return report.FormatNumber(whole(*low)) + "-" + report.FormatNumber(whole(*high))
}

func seconds(v *float64) string {
	if v == nil {
		return none
	}
	return report.FormatSeconds(*v)
}

// lag prints a signed length of time.
func lag(v *float64) string {
	if v == nil {
		return none
	}
	s := report.FormatSeconds(*v)
	if *v > 0 {
		s = "+" + s
	}
	return s
}

// millis prints a latency given in milliseconds.
func millis(v *float64) string {
	if v == nil {
		return none
	}
	switch ms := *v; {
	case ms < 0.995:
		return report.FormatNumber(math.Round(ms*1e3)) + "µs"
	case ms < 9.95:
		return report.FormatNumber(math.Round(ms*10)/10) + "ms"
	case ms < 999.5:
		return report.FormatNumber(math.Round(ms)) + "ms"
	default:
		return report.FormatNumber(math.Round(ms/10)/100) + "s"
	}
}

// percent prints a share to the whole percent, and below one percent to two
// digits.
func percent(share float64) string {
	if share >= 0.0995 {
		return report.FormatNumber(math.Round(100*share)) + "%"
	}
	return report.FormatPercent(share, 2)
}

// quantity prints a value of a resource in its unit. Counts have no unit: the
// resource's name says what they are.
func quantity(v *float64, unit string) string {
	if v == nil {
		return none
	}
	switch unit {
	case "share":
		return percent(*v)
	case "bytes":
		return size(*v)
	case "bytes/s":
		return size(*v) + "/s"
	case "seconds":
		return report.FormatSeconds(*v)
	case "µs":
		return report.FormatSeconds(*v / 1e6)
	}
	return report.FormatNumber(whole(*v))
}

func size(v float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	i := 0
	for math.Abs(v) >= 1000 && i < len(units)-1 {
		v /= 1024
		i++
	}
	if v >= 99.5 {
		v = math.Round(v)
	}
	return report.FormatNumber(v) + " " + units[i]
}

// gateValue prints the value of a gate in its unit.
func gateValue(g report.GateResult) string {
	if g.Value == nil {
		return none
	}
	switch g.Unit {
	case "ratio":
		return report.FormatPercent(*g.Value, 3)
	case "rps":
		return rate(g.Value)
	case "seconds":
		ms := *g.Value * 1e3
		return millis(&ms)
	}
	return report.FormatNumber(*g.Value)
}

// Clean takes control characters, and those that reorder text, out of text that
// goes to a terminal or a file of lines. Names of targets and processes, messages
// of servers and names of files may hold any.
func Clean(s string) string { return clean(s) }

func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, s)
}
