package report

import "github.com/rampload/rampload/report/format"

// FormatCount returns a count with thousands separators: "12,300".
func FormatCount(n uint64) string { return format.Count(n) }

// FormatNumber returns a value with thousands separators, and as many decimals as three
// significant digits need: "1,510", "0.25".
func FormatNumber(v float64) string { return format.Number(v) }

// FormatRate returns requests per second: "1,510/s".
func FormatRate(rps float64) string { return format.Rate(rps) }

// FormatPercent returns a share in [0,1] as a percentage with the given number of
// significant digits: "0.003%".
func FormatPercent(share float64, digits int) string { return format.Percent(share, digits) }

// FormatBound returns an upper bound of a share as a percentage, rounded up: "0.0031%".
func FormatBound(share float64) string { return format.Bound(share) }

// FormatSeconds returns a time or a length of time in seconds: "84 ms", "12 s", "1m30s".
func FormatSeconds(s float64) string { return format.Seconds(s) }
