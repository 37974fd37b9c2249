// Package format writes numbers as reports show them.
package format

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles/spelling"
)

// Count returns a count with thousands separators: "12,300".
func Count(n uint64) string { return spelling.Thousands(strconv.FormatUint(n, 10)) }

// Number returns a value with thousands separators, and as many decimals
// as three significant digits need: "1,510", "61.3", "0.25".
func Number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "-"
	}
	s := significant(math.Abs(v), 3)
	whole, decimals, _ := strings.Cut(s, ".")
	s = spelling.Thousands(whole)
	if decimals != "" {
		s += "." + decimals
	}
	if v < 0 && s != "0" {
		s = "-" + s
	}
	return s
}

// Rate returns requests per second: "1,510/s".
func Rate(rps float64) string { return Number(rps) + "/s" }

// Percent returns a share in [0,1] as a percentage with the given number
// of significant digits: "0.003%", "2.5%".
func Percent(share float64, digits int) string {
	if math.IsNaN(share) || math.IsInf(share, 0) {
		return "-"
	}
	return significant(100*share, digits) + "%"
}

// Bound returns an upper bound of a share as a percentage of at most two
// significant digits, rounded up so that it stays a bound: "0.0031%".
func Bound(share float64) string {
	p := 100 * share
	if p <= 0 {
		return "0%"
	}
	if p >= 100 {
		return "100%"
	}
	step := math.Pow(10, math.Floor(math.Log10(p))-1)
	return significant(math.Min(100, math.Ceil(p/step-1e-9)*step), 2) + "%"
}

// Seconds returns a time or a length of time in seconds: "84 ms", "0.2 s",
// "12 s", "1m30s".
func Seconds(s float64) string {
	a := math.Abs(s)
	switch {
	case math.IsNaN(s) || math.IsInf(s, 0):
		return "-"
	case a == 0:
		return "0 s"
	case a < 0.1:
		return significant(s*1e3, 2) + " ms"
	case a < 60:
		return significant(s, max(2, len(strconv.Itoa(int(a))))) + " s"
	}
	return (time.Duration(math.Round(s)) * time.Second).String()
}

// significant rounds to a number of significant digits, never cutting whole
// digits, without an exponent and without trailing zeros.
func significant(v float64, digits int) string {
	if v == 0 {
		return "0"
	}
	decimals := max(0, digits-1-int(math.Floor(math.Log10(math.Abs(v)))))
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}
