package layout

import (
	"strings"

	"github.com/rampload/rampload/report/format"
)

// none stands for what was not measured or does not apply.
const None = "-"

// Rate prints a load.
func Rate(v *float64) string {
	if v == nil {
		return None
	}
	return format.Number(*v) + "/s"
}

// Interval prints "1,490-1,525", without the unit.
func Interval(low, high *float64) string {
	if low == nil || high == nil {
		return None
	}
	return format.Range(*low, *high)
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
		return format.Number(ms*1e3) + "µs"
	case ms < 9.95:
		return format.Number(ms) + "ms"
	case ms < 999.5:
		return format.Number(ms) + "ms"
	default:
		return format.Fine(ms/1e3) + "s"
	}
}

// InUnit prints a value of a resource in its unit.
func InUnit(v *float64, unit string) string {
	if v == nil {
		return None
	}
	return format.Amount(*v, unit)
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
