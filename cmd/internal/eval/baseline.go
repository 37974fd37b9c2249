package eval

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
	"github.com/rampload/rampload/report/stats"
)

// Baseline is a simpler method that ranks the resources of a log. All of them
// get the onset that the diagnosis found, and no symptoms.
type Baseline struct {
	Name string
	// score tells how likely a series is the cause; NaN: the method cannot judge it.
	score func(s series, run course) float64
}

// Baselines returns the methods that resources are ranked with.
func Baselines() []Baseline {
	return []Baseline{
		{"90 % of the limit crossed nearest the onset", crossing},
		{"highest utilisation", utilisation},
		{"Pearson correlation with failures", pearson},
		{"partial Pearson, load given", partialPearson},
		{"KS2 of differences before and after the onset", differenceKS},
	}
}

// series is one watched metric on the grid of windows.
type series struct {
	name  string // catalogue name
	host  string
	value []float64 // by window; NaN without a reading; cumulative ones as their increase
	share []float64 // of the limit; nil without one
}

// course is what a run did, by window.
type course struct {
	load, failures []float64
	onset          int // window
}

// Ranked is the place of the true resource in a baseline's ranking.
type Ranked struct {
	Rank  int // from 1; 0: not ranked
	Among int // candidates, by host and name
	Right int // how many of them are right
}

// RankResources ranks the resources of a log by each baseline. The last result
// is the diagnosis itself, by the resources that its findings name. It is nil if
// the case names no resource, the log does not hold it, or no onset was found.
func RankResources(c Case, log *runlog.Log, r diagnose.Result) []Ranked {
	onset := onsetWindow(log, r)
	if c.Resource == "" || c.Kind() != Fault || onset < 0 {
		return nil
	}
	run := newCourse(log, onset)
	var candidates []series
	for _, s := range log.Series {
		if d, ok := s.Metric.Def(); ok && d.Kind != probe.Symptom && !generatorOwn(s.Metric) && len(s.At) >= 8 {
			candidates = append(candidates, onGrid(s, d, log.Header.Interval.Seconds(), len(run.load)))
		}
	}
	key := func(s series) [2]string { return [2]string{s.host, s.name} }
	all := map[[2]string]bool{}
	right := 0
	for _, s := range candidates {
		if !all[key(s)] && c.isResource(s.host, s.name) {
			right++
		}
		all[key(s)] = true
	}
	if right == 0 {
		return nil
	}
	var out []Ranked
	for _, b := range Baselines() {
		best := map[[2]string]float64{}
		for _, s := range candidates {
			if v := b.score(s, run); !math.IsNaN(v) {
				if old, ok := best[key(s)]; !ok || v > old {
					best[key(s)] = v
				}
			}
		}
		out = append(out, Ranked{placeOf(c, best), len(all), right})
	}
	return append(out, Ranked{named(c, r), len(all), right})
}

// placeOf returns the place of the right resource; among equals it is the middle
// one, rounded up.
func placeOf(c Case, scores map[[2]string]float64) int {
	top := math.Inf(-1)
	for k, v := range scores {
		if c.isResource(k[0], k[1]) {
			top = max(top, v)
		}
	}
	if math.IsInf(top, -1) {
		return 0
	}
	better, equal := 0, 0
	for k, v := range scores {
		switch {
		case c.isResource(k[0], k[1]):
		case v > top:
			better++
		case v == top:
			equal++
		}
	}
	return 1 + better + (equal+1)/2
}

// named returns the place of the true resource among those that the findings
// name, 0 if none does.
func named(c Case, r diagnose.Result) int {
	var seen [][2]string
	for _, f := range r.Findings {
		k := [2]string{f.Host, f.Resource}
		if f.Resource == "" || slices.Contains(seen, k) {
			continue
		}
		seen = append(seen, k)
		if c.isResource(f.Host, f.Resource) {
			return len(seen)
		}
	}
	return 0
}

func onsetWindow(log *runlog.Log, r diagnose.Result) int {
	for _, t := range r.Targets {
		if len(t.Onsets) > 0 && t.Onsets[0].Status == diagnose.Found {
			return int(t.Onsets[0].At.Value / log.Header.Interval.Seconds())
		}
	}
	return -1
}

func newCourse(log *runlog.Log, onset int) course {
	n := 0
	for _, windows := range log.Windows {
		for _, w := range windows {
			n = max(n, int(w.Index)+1)
		}
	}
	c := course{load: make([]float64, n), failures: make([]float64, n), onset: onset}
	for _, windows := range log.Windows {
		for _, w := range windows {
			if w.Index < 0 {
				continue
			}
			c.load[w.Index] += float64(w.Scheduled)
			for _, cell := range w.Cells {
				if cell.Fault.Failure() && cell.Phase != attack.PhaseIdle {
					c.failures[w.Index] += float64(cell.Attempts)
				}
			}
		}
	}
	return c
}

// onGrid puts the last reading of each window into a series of n windows.
func onGrid(s runlog.Series, d probe.Definition, step float64, n int) series {
	out := series{name: s.Metric.Name, host: s.Metric.Host, value: make([]float64, n)}
	for i := range out.value {
		out.value[i] = math.NaN()
	}
	limited := d.Kind == probe.Utilisation || d.Kind == probe.HardLimit
	if limited {
		out.share = slices.Clone(out.value)
	}
	for i, at := range s.At {
		w := int(math.Floor(at.Seconds() / step))
		if w < 0 || w >= n {
			continue
		}
		v := s.Value[i]
		if d.Cumulative {
			if i == 0 {
				continue
			}
			v = max(0, v-s.Value[i-1])
		}
		out.value[w] = v
		if limited && s.Limit[i] > 0 {
			out.share[w] = v / s.Limit[i]
		}
	}
	return out
}

func crossing(s series, run course) float64 {
	for i, v := range s.share {
		if v >= 0.9 {
			return -math.Abs(float64(i - run.onset))
		}
	}
	return math.NaN()
}

func utilisation(s series, _ course) float64 {
	most := math.NaN()
	for _, v := range s.share {
		if !math.IsNaN(v) && !(v <= most) {
			most = v
		}
	}
	return most
}

func pearson(s series, run course) float64 {
	value, failures, _ := s.read(run)
	return correlation(value, failures)
}

// partialPearson is the correlation of what the load does not explain.
func partialPearson(s series, run course) float64 {
	value, failures, load := s.read(run)
	xy, xz, yz := correlation(value, failures), correlation(value, load), correlation(failures, load)
	return math.Abs(xy-xz*yz) / math.Sqrt((1-xz*xz)*(1-yz*yz))
}

// differenceKS compares how the series moved in the time before the onset with
// the shorter time after it, as Netdata's metric correlation does.
func differenceKS(s series, run course) float64 {
	const after = 20 // windows: 5 s
	var value []float64
	from := 0
	for i, v := range s.value {
		if i == run.onset {
			from = len(value)
		}
		if !math.IsNaN(v) && i >= run.onset-4*after && i < run.onset+after {
			value = append(value, v)
		}
	}
	if from < 4 || len(value)-from < 4 {
		return math.NaN()
	}
	d, p := stats.DifferenceKS(value[:from], value[from:])
	return -p + 1e-9*d // the statistic orders what has no p to speak of
}

// read returns the windows in which the series was read.
func (s series) read(run course) (value, failures, load []float64) {
	for i, v := range s.value {
		if !math.IsNaN(v) {
			value, failures, load = append(value, v), append(failures, run.failures[i]), append(load, run.load[i])
		}
	}
	return value, failures, load
}

// correlation is Pearson's, NaN where a series is constant or too short.
func correlation(x, y []float64) float64 {
	if len(x) < 8 || slices.Min(x) == slices.Max(x) || slices.Min(y) == slices.Max(y) {
		return math.NaN()
	}
	return stat.Correlation(x, y, nil)
}

// chance is the probability that a random ranking has a right one of m
// candidates among its first k.
func (r Ranked) chance(k int) float64 {
	miss := 1.0
	for i := range min(k, r.Among) {
		miss *= max(0, float64(r.Among-r.Right-i)) / float64(r.Among-i)
	}
	return 1 - miss
}

// sortedKeys returns the keys of a map in order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
