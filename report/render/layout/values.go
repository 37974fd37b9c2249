package layout

import (
	"math"
	"strings"

	"github.com/rampload/rampload/report/format"
)

// none stands for what was not measured or does not apply.
const None = "-"

// Rate prints a load without decimals from 10/s on.
func Rate(v *float64) string {
	if v == nil {
		return None
	}
	return format.Rate(Whole(*v))
}

// Whole rounds a value from 10 on.
func Whole(v float64) float64 {
	if math.Abs(v) >= 10 {
		return math.Round(v)
	}
	return v
}

// Interval prints "1,490-1,525", without the unit.
func Interval(low, high *float64) string {
	if low == nil || high == nil {
		return None
	}
	return format.Number(Whole(*low)) + "-" + format.Number(Whole(*high))
}

// Seconds prints a length of time.
func Seconds(v *float64) string {
	if v == nil {
		return None
	}
	return format.Seconds(*v)
}

// Lag prints a signed length of time.
func Lag(v *float64) string {
	if v == nil {
		return None
	}
	s := format.Seconds(*v)
	if *v > 0 {
		s = "+" + s
	}
	return s
}

// Millis prints a latency given in milliseconds.
func Millis(v *float64) string {
	if v == nil {
		return None
	}
	switch ms := *v; {
	case ms < 0.995:
		return format.Number(math.Round(ms*1e3)) + "µs"
	case ms < 9.95:
		return format.Number(math.Round(ms*10)/10) + "ms"
	case ms < 999.5:
		return format.Number(math.Round(ms)) + "ms"
	default:
		return format.Number(math.Round(ms/10)/100) + "s"
	}
}

// Percent prints a share to the whole percent, and below one percent to two
// digits.
func Percent(share float64) string {
	if share >= 0.0995 {
		return format.Number(math.Round(100*share)) + "%"
	}
	return format.Percent(share, 2)
}

// Quantity returns a value in its unit as tables show it: "1,024", "61%",
// "1.5 GiB".
func Quantity(v float64, unit string) string { return InUnit(&v, unit) }

// InUnit prints a value of a resource in its unit. Counts have no unit: the
// resource's name says what they are.
func InUnit(v *float64, unit string) string {
	if v == nil {
		return None
	}
	switch unit {
	case "share":
		return Percent(*v)
	case "bytes":
		return size(*v)
	case "bytes/s":
		return size(*v) + "/s"
	case "seconds":
		return format.Seconds(*v)
	case "µs":
		return format.Seconds(*v / 1e6)
	}
	return format.Number(Whole(*v))
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
	return format.Number(v) + " " + units[i]
}

// Clean takes control characters, and those that reorder text, out of text that
// goes to a terminal or a file of lines. Names of targets and processes, messages
// of servers and names of files may hold any.
func Clean(s string) string {
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

// Plural prints "1 run" or "2 runs".
func Plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return format.Count(uint64(max(0, n))) + " " + what + "s"
}
