package assemble

import (
	"math"
	"slices"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/runlog"
)

// loadBins is about how many bins a schedule is divided into.
const loadBins = 25

// borders gives the bin of a load. It depends on the schedule alone, so that
// every run of a profile has the same bins.
type borders struct {
	step float64 // 0: ten bins a decade, for a closed loop
}

func bordersOf(h runlog.Header) borders {
	top := maxLoad(h)
	if top == nil || *top <= 0 {
		return borders{}
	}
	// The next of 1, 2, 5 and their tenfolds.
	raw := *top / loadBins
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5, 10} {
		if raw <= m*unit*(1+1e-9) {
			return borders{m * unit}
		}
	}
	return borders{10 * unit}
}

// bin returns the bin of a load; loads below one request per second share the
// first of a closed loop's.
func (b borders) bin(rps float64) int {
	if b.step > 0 {
		return int(math.Floor(rps/b.step + 1e-9))
	}
	return int(math.Floor(10*math.Log10(max(rps, 1)) + 1e-9))
}

// span returns the borders of a bin.
func (b borders) span(bin int) (low, high float64) {
	if b.step > 0 {
		return float64(bin) * b.step, float64(bin+1) * b.step
	}
	return math.Pow(10, float64(bin)/10), math.Pow(10, float64(bin+1)/10)
}

// byLoad counts one target by the offered load of all. Windows in which nothing
// was due belong to no load, but for the drain at the end: it counts at the last
// load, and takes no time of it.
func byLoad(h runlog.Header, series *report.Series, target int) []report.LoadBin {
	b := bordersOf(h)
	type sums struct {
		report.LoadBin
		latency attack.Histogram
		sent    uint64
	}
	bins := map[int]*sums{}
	for i, load := range series.Loads() {
		p := &series.Points[target][i]
		if load <= 0 {
			continue
		}
		bin := bins[b.bin(load)]
		if bin == nil {
			bin = &sums{}
			bin.LowRPS, bin.HighRPS = b.span(b.bin(load))
			bins[b.bin(load)] = bin
		}
		if p.Offered > 0 {
			bin.Seconds += series.Interval.Seconds()
		}
		bin.Requests += p.Requests
		bin.Attempts += p.Attempts
		bin.Failed += p.Failures
		bin.WireResets += p.WireResets
		bin.latency = bin.latency.Merge(p.Latency)
		for t := range series.Points {
			bin.sent += series.Points[t][i].Sent
		}
	}
	out := make([]report.LoadBin, 0, len(bins))
	for _, bin := range bins {
		bin.AchievedRPS = float64(bin.sent) / bin.Seconds
		bin.P50MS, bin.P99MS = quantileMS(bin.latency, 0.5), quantileMS(bin.latency, 0.99)
		out = append(out, bin.LoadBin)
	}
	slices.SortFunc(out, func(a, c report.LoadBin) int {
		if a.LowRPS < c.LowRPS {
			return -1
		}
		return 1
	})
	return out
}
