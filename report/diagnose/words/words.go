// Package words writes lists, spans and faults as people read them; numbers are of package
// format. It knows no run and no cause.
package words

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/format"
)

func Keeps(seconds float64) string {
	if seconds <= 0 {
		return "for ever"
	}
	return format.Seconds(seconds)
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
	x, y := format.Seconds(low), format.Seconds(high)
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
		return format.Number(low)
	}
	return format.Number(low) + " to " + format.Number(high)
}

func PerSecond(v float64, unit string) string { return format.Amount(v, unit) + "/s" }

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
