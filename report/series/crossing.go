package series

import (
	"cmp"
	"math"
	"slices"

	"github.com/rampload/rampload/report/stats"
)

// Crossing is where the share of a target's requests that fail passes a stated share:
// defined also where failures grow smoothly and have no point at which they begin.
type Crossing struct {
	Share float64 `json:"share"`
	// AtS is null if it is not proven that the share was passed.
	AtS   *float64 `json:"at_s"`
	LowS  *float64 `json:"low_s"` // 95 % interval; up to here the share was not passed
	HighS *float64 `json:"high_s"`
	// LoadLowRPS is up to which load it is proven that the share is not passed.
	LoadRPS     *float64 `json:"load_rps"`
	LoadLowRPS  *float64 `json:"load_low_rps"`
	LoadHighRPS *float64 `json:"load_high_rps"`
}

const (
	// CrossingShare is the share of a crossing for which no gate states another.
	CrossingShare = 0.001
	// crossingParts is into how many parts a run is divided at most, by load or time.
	crossingParts = 400
	// crossingPart is how long one of them is at least, in seconds.
	crossingPart = 0.5
)

// Crossing finds where the share of a target's requests that fail passes a share, in
// the windows before end: in the order of time where the load never fell, which dates
// what grows with time too, and else in the order of the load. Failures that come in
// clusters count as fewer ones. It is nil without requests.
func (series *Series) Crossing(target, end int, share float64) *Crossing {
	end = min(end, series.Len())
	if target < 0 || end <= 0 || series.Interval <= 0 {
		return nil
	}
	loads, step := series.Loads(), series.Interval.Seconds()
	var y, e []float64
	var order []int
	for i := range end {
		p := &series.Points[target][i]
		y, e = append(y, float64(min(p.Failures, p.Requests))), append(e, float64(p.Requests))
		if p.Requests > 0 {
			order = append(order, i)
		}
	}
	if len(order) == 0 {
		return nil
	}
	if falls(loads[:end], series.Roundings()) {
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(loads[a], loads[b]) })
	}
	size := max(int(math.Ceil(crossingPart/step)), (len(order)+crossingParts-1)/crossingParts)
	var parts []crossingAt
	var ys, es []float64
	for from := 0; from < len(order); from += size {
		part := order[from:min(len(order), from+size)]
		p := crossingAt{at: math.Inf(1), from: math.Inf(1)}
		var sy, se float64
		for _, i := range part {
			sy, se = sy+y[i], se+e[i]
			p.at, p.until = min(p.at, float64(i)*step), max(p.until, float64(i+1)*step)
			p.from, p.to = min(p.from, loads[i]), max(p.to, loads[i])
		}
		parts, ys, es = append(parts, p), append(ys, sy), append(es, se)
	}
	found := stats.FindCrossing(ys, es, share, clusteringAround(ys, es, y, order, size, step))
	out := &Crossing{Share: share}
	low, high := int(found.Low), len(parts)
	var zero float64
	out.LoadLowRPS, out.LowS = &zero, &zero
	if low > 0 {
		// Up to the end of the last part that is proven to be within the share.
		out.LoadLowRPS, out.LowS = &parts[low-1].to, &parts[low-1].until
	}
	if math.IsNaN(found.At) {
		return out
	}
	high = min(high, int(found.High))
	last := parts[max(0, high-1)]
	out.LoadHighRPS, out.HighS = &last.to, &last.until
	i := min(len(parts)-1, int(found.At))
	within := found.At - float64(i)
	at := parts[i].at + within*(parts[i].until-parts[i].at)
	load := parts[i].from + within*(parts[i].to-parts[i].from)
	if found.At == 0 { // from the start: at the first load or below
		at, load = 0, parts[0].from
	}
	out.AtS, out.LoadRPS = &at, &load
	*out = out.ordered()
	return out
}

// clusteringAround is the dispersion of failures y in windows of step seconds around
// shares that grow: growth is no cluster. Of ys and es, failures and requests in parts of
// size windows in an order, the shares are the non-decreasing fit.
func clusteringAround(ys, es, y []float64, order []int, size int, step float64) float64 {
	share := make([]float64, len(ys))
	for i := range ys {
		share[i] = ys[i] / es[i]
	}
	expected := make([]float64, len(y))
	fit := stats.PAVA(share, es)
	for i, window := range order {
		part := i / size
		windows := min(size, len(order)-part*size)
		expected[window] = fit[part] * es[part] / float64(windows)
	}
	// As many trials of a small share as make these numbers of failures likely.
	const rare = 1e-3
	for i := range expected {
		expected[i] /= rare
	}
	likely, _ := stats.Clustering(y, expected, step)
	return likely
}

// ordered returns the crossing with its ends around it: in the order of the load,
// times need not ascend.
func (c Crossing) ordered() Crossing {
	ends := func(low, at, high float64) (*float64, *float64) {
		a, b := min(low, at, high), max(low, at, high)
		return &a, &b
	}
	c.LowS, c.HighS = ends(*c.LowS, *c.AtS, *c.HighS)
	low, high := min(*c.LoadLowRPS, *c.LoadRPS), max(*c.LoadHighRPS, *c.LoadRPS)
	c.LoadLowRPS, c.LoadHighRPS = &low, &high
	return c
}

// crossingAt is when and at which loads a part of the requests was due.
type crossingAt struct{ at, until, from, to float64 }

// Roundings is by how much loads differ that were to be the same: by one request for
// each target in a window.
func (series *Series) Roundings() float64 {
	return float64(len(series.Names)) / series.Interval.Seconds()
}

// falls reports whether a load falls by more than a twentieth of its highest.
func falls(loads []float64, rounding float64) bool {
	highest := 0.0
	for _, l := range loads {
		if l < highest-max(0.05*highest, 1.5*rounding) {
			return true
		}
		highest = max(highest, l)
	}
	return false
}
