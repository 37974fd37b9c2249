// Package words writes numbers, times, lists and faults as people read them. It knows
// no run and no cause.
package words

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/attack"
)

func Keeps(seconds float64) string {
	if seconds <= 0 {
		return "for ever"
	}
	return WordSeconds(seconds)
}

// RoundUp rounds to two significant digits, upwards.
func RoundUp(v float64) float64 {
	if v <= 0 {
		return v
	}
	unit := math.Pow(10, math.Floor(math.Log10(v))-1)
	return math.Ceil(v/unit) * unit
}

// name of a fault class as people read it in a sentence.
func Plural(f attack.Fault) string {
	switch f {
	case attack.Reset:
		return "resets"
	case attack.Refused:
		return "refused connections"
	case attack.EOF:
		return "connections closed instead of a response"
	case attack.BrokenPipe:
		return "writes to closed connections"
	case attack.Timeout:
		return "timeouts"
	case attack.Status:
		return "unexpected statuses"
	case attack.HTTP2Reset:
		return "stream resets"
	case attack.TLS:
		return "failed TLS handshakes"
	}
	return f.String() + " faults"
}

// SecondsTo words a range of seconds, one number if both read the same.
func SecondsTo(low, high float64) string {
	x, y := WordSeconds(low), WordSeconds(high)
	if x == y {
		return x
	}
	return x + " to " + y
}

func OrThe(process string) string {
	if process == "" {
		return "the process"
	}
	return process
}

func Why(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

func Capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func Singular(f attack.Fault) string { return f.String() }

// Between words a narrow range of counts.
func Between(low, high float64) string {
	if low == high {
		return Commas(low)
	}
	return Commas(low) + " to " + Commas(high)
}

func PerSecond(v float64, unit string) string { return Amount(Significant(v), unit) + "/s" }

// Significant rounds to two significant digits what is below 100.
func Significant(v float64) float64 {
	if v <= 0 || v >= 100 {
		return v
	}
	unit := math.Pow(10, math.Floor(math.Log10(v))-1)
	return math.Round(v/unit) * unit
}

func Seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Finite returns v, or d if v is not a number.
func Finite(v, d float64) float64 {
	if math.IsNaN(v) {
		return d
	}
	return v
}

func SortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Commas writes a number for people: 1,510, or with digits where it is small.
func Commas(v float64) string {
	switch {
	case math.IsNaN(v):
		return "unknown"
	case v != math.Trunc(v) && math.Abs(v) < 10:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
	digits := strconv.FormatFloat(math.Abs(math.Round(v)), 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if v < 0 {
		return "-" + digits
	}
	return digits
}

// Count writes a number with its noun.
func Count(n float64, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "s"), strings.HasSuffix(noun, "x"):
		return Commas(n) + " " + noun + "es"
	}
	return Commas(n) + " " + noun + "s"
}

func Percent(share float64) string {
	p := 100 * share
	switch {
	case math.IsNaN(p):
		return "unknown"
	case p == 0 || p >= 99.95:
		return strconv.FormatFloat(p, 'f', 0, 64) + " %"
	case p >= 10:
		return strconv.FormatFloat(p, 'f', 0, 64) + " %"
	case p >= 1:
		return strconv.FormatFloat(p, 'f', 1, 64) + " %"
	}
	return strconv.FormatFloat(p, 'g', 2, 64) + " %"
}

// WordSeconds writes a length of time: "0.2 s", "35 ms", "1m30s".
func WordSeconds(s float64) string {
	switch abs := math.Abs(s); {
	case abs < 0.0095:
		return strconv.FormatFloat(1000*s, 'f', 1, 64) + " ms"
	case abs < 0.0995:
		return strconv.FormatFloat(1000*s, 'f', 0, 64) + " ms"
	case abs < 10:
		return strconv.FormatFloat(s, 'f', 1, 64) + " s"
	case abs < 60:
		return strconv.FormatFloat(s, 'f', 0, 64) + " s"
	}
	return (time.Duration(math.Round(s)) * time.Second).String()
}

// PercentBound is percent of an upper bound: rounded up, so that it stays one.
func PercentBound(share float64) string {
	if !(share > 0 && share < 0.01) {
		return Percent(share)
	}
	step := math.Pow(10, math.Floor(math.Log10(share))-1)
	return Percent(math.Ceil(share/step-1e-9) * step)
}

// Amount writes a value in its unit.
func Amount(v float64, unit string) string {
	switch unit {
	case "bytes":
		return bytesOf(v)
	case "bytes/s":
		return bytesOf(v) + "/s"
	case "share":
		return Percent(v)
	case "seconds":
		return WordSeconds(v)
	}
	return Commas(v)
}

func bytesOf(v float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if v >= u.size {
			return strconv.FormatFloat(v/u.size, 'f', 1, 64) + " " + u.name
		}
	}
	return Commas(v) + " B"
}

func Join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

func List(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

func Microseconds(us int64) time.Duration { return time.Duration(us) * time.Microsecond }

func Pointer(s float64) *time.Duration {
	d := Seconds(s)
	return &d
}
