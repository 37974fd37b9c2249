package diagnose

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// commas writes a number for people: 1,510, or with digits where it is small.
func commas(v float64) string {
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

// count writes a number with its noun.
func count(n float64, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "s"), strings.HasSuffix(noun, "x"):
		return commas(n) + " " + noun + "es"
	}
	return commas(n) + " " + noun + "s"
}

func percent(share float64) string {
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

// wordSeconds writes a length of time: "0.2 s", "35 ms", "1m30s".
func wordSeconds(s float64) string {
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

// percentBound is percent of an upper bound: rounded up, so that it stays one.
func percentBound(share float64) string {
	if !(share > 0 && share < 0.01) {
		return percent(share)
	}
	step := math.Pow(10, math.Floor(math.Log10(share))-1)
	return percent(math.Ceil(share/step-1e-9) * step)
}

// amount writes a value in its unit.
func amount(v float64, unit string) string {
	switch unit {
	case "bytes":
		return bytesOf(v)
	case "bytes/s":
		return bytesOf(v) + "/s"
	case "share":
		return percent(v)
	case "seconds":
		return wordSeconds(v)
	}
	return commas(v)
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
	return commas(v) + " B"
}

// loadSpanText writes a load with its interval in the unit of the stage in which
// it was: "1,510/s (1,490-1,525)", "81 connections (60-82)".
func (a *analysis) loadSpanText(s Span, at float64) string {
	each := a.perConnection(at)
	if each == 0 {
		each = 1
	}
	low, high := commas(s.Low/each), commas(s.High/each)
	if low == high {
		return a.loadText(s.Value, at)
	}
	return fmt.Sprintf("%s (%s-%s)", a.loadText(s.Value, at), low, high)
}

// loadText writes a load in the unit of the stage in which it was offered:
// requests per second, or the connections that were held.
func (a *analysis) loadText(rps, at float64) string {
	if each := a.perConnection(at); each > 0 {
		return count(math.Round(rps/each), "connection")
	}
	return commas(rps) + "/s"
}

// topText is the highest load of the run in the unit of the stage in which it was.
func (a *analysis) topText() string { return a.loadText(a.maxLoad(), a.topAt()) }

// achievedText is the highest load that was really sent, in the same unit: the
// planned one where a second at its peak came near it.
func (a *analysis) achievedText() string {
	sent, top := a.achieved(), 0.0
	for _, s := range a.log.Header.Stages {
		top = max(top, s.From, s.To)
	}
	if sent >= 0.98*top && sent <= 1.02*top {
		sent = top
	}
	return a.loadText(sent, a.topAt())
}

// topAt is when the offered load was highest first.
func (a *analysis) topAt() float64 {
	at, most := 0.0, 0.0
	for i, l := range a.load[:a.n] {
		if l > most {
			at, most = a.seconds(float64(i)), l
		}
	}
	return at
}

// perConnection is the rate of each connection that the stage at a time holds; 0
// where it sets a rate of requests.
func (a *analysis) perConnection(at float64) float64 {
	return a.log.Header.StageAt(seconds(at)).PerConnection
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

func list(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

func microseconds(us int64) time.Duration { return time.Duration(us) * time.Microsecond }

func pointer(s float64) *time.Duration {
	d := seconds(s)
	return &d
}

// whose names a resource and its process.
func whose(r *resource) string {
	s := strings.ReplaceAll(r.metric.Name, "-", " ")
	if r.metric.Process != "" {
		s += " of " + r.metric.Process
	}
	return s
}

// place names a resource, its process and its host.
func place(r *resource) string { return whose(r) + " on " + r.metric.Host }
