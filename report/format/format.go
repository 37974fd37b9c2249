// Package format writes numbers for people: in sentences, tables and charts alike.
// A value that was not measured (NaN) reads "unknown".
package format

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles/spelling"
)

const unknown = "unknown"

// Count returns a count with thousands separators: "12,300".
func Count(n uint64) string { return spelling.Thousands(strconv.FormatUint(n, 10)) }

// Counted returns a count and its noun: "1 request", "3 processes".
func Counted[N int | uint64 | float64](n N, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "s"), strings.HasSuffix(noun, "x"):
		return Number(float64(n)) + " " + noun + "es"
	}
	return Number(float64(n)) + " " + noun + "s"
}

// Number returns a value with thousands separators: whole from 10 on, below it with two
// significant digits: "1,510", "61", "2.5", "0.25".
func Number(v float64) string {
	if math.Abs(v) < 9.95 {
		return grouped(v, 2)
	}
	return grouped(v, 1)
}

// Fine returns a value with thousands separators and three significant digits: "1,510",
// "61.3", "0.25".
func Fine(v float64) string { return grouped(v, 3) }

// Range returns the ends of an interval of values such as loads, without their unit:
// "1,490-1,525".
func Range(low, high float64) string { return Number(low) + "-" + Number(high) }

// Rate returns requests per second, as exactly as a gate states them: "1,510/s", "12.5/s".
func Rate(rps float64) string { return Fine(rps) + "/s" }

// Percent returns a share in [0,1] as a percentage of two significant digits: "0.003%",
// "2.5%", "61%".
func Percent(share float64) string { return percent(share, 2) }

// FinePercent returns a share in [0,1] as a percentage of three significant digits, as
// values stand beside the limit of a gate: "1.21%".
func FinePercent(share float64) string { return percent(share, 3) }

func percent(share float64, digits int) string {
	if math.IsNaN(share) || math.IsInf(share, 0) {
		return unknown
	}
	p := 100 * share
	if p >= 99.5 && p < 99.95 {
		digits = 3 // not all of them
	}
	return significant(p, digits) + "%"
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
	return percent(math.Min(100, math.Ceil(p/step-1e-9)*step)/100, 2)
}

// Seconds returns a time or a length of time in seconds: "84 ms", "0.2 s",
// "12 s", "1m30s".
func Seconds(s float64) string {
	a := math.Abs(s)
	switch {
	case math.IsNaN(s) || math.IsInf(s, 0):
		return unknown
	case a == 0:
		return "0 s"
	case a < 0.0995:
		return significant(s*1e3, 2) + " ms"
	case a < 60:
		return significant(s, 2) + " s"
	}
	return (time.Duration(math.Round(s)) * time.Second).String()
}

// Amount returns a value in its unit: "1,024", "61%", "1.5 GiB". Counts have no unit:
// what is counted says its name.
func Amount(v float64, unit string) string {
	switch unit {
	case "share":
		return Percent(v)
	case "bytes":
		return size(v)
	case "seconds":
		return Seconds(v)
	case "µs":
		return Seconds(v / 1e6)
	}
	if each, is := strings.CutSuffix(unit, "/s"); is {
		return Amount(v, each) + "/s"
	}
	return Number(v)
}

func size(v float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	i := 0
	for math.Abs(v) >= 999.5 && i < len(units)-1 {
		v /= 1024
		i++
	}
	return grouped(v, 3) + " " + units[i]
}

// RoundUp rounds a need or a limit to advise to two significant digits, upwards.
func RoundUp(v float64) float64 {
	if v <= 0 {
		return v
	}
	unit := math.Pow(10, math.Floor(math.Log10(v))-1)
	return math.Ceil(v/unit-1e-9) * unit
}

// grouped writes significant digits with thousands separators.
func grouped(v float64, digits int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return unknown
	}
	whole, decimals, _ := strings.Cut(significant(math.Abs(v), digits), ".")
	s := spelling.Thousands(whole)
	if decimals != "" {
		s += "." + decimals
	}
	if v < 0 && s != "0" {
		s = "-" + s
	}
	return s
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
