package stats

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
)

const (
	// shownChance is how often clusters alone may pass for a lasting rise in
	// shownSeconds of load: longer series have more occasions.
	shownChance  = 0.01
	shownSeconds = 120.0
	// afterSeconds bounds how much of what follows an alarm is looked at.
	afterSeconds = 512.0
	// fewBlocks is how many blocks tell how clustered events are.
	fewBlocks = 5
	// outlasts is how much longer than any group of events before it a rise must go
	// on to be no such group; outlastsBy is added to it, in seconds.
	outlasts, outlastsBy = 4.0, 8.0
	// clusterSeconds is how long one cluster of failures lasts at most, if it is no
	// outage, in which most requests fail.
	clusterSeconds, outage = 4.0, 0.75
	// oneThing is how long events must have gone on without a pause, in seconds, after
	// as long a time in which their rate was at most the share rare of it.
	// It may not take in more than the share mostOfAll of all requests: of few before
	// it, it proves little that nothing happened to them.
	oneThing, rare, mostOfAll = 5.0, 0.05, 0.85
	// dispersionSide is the confidence with which events are no more clustered than is
	// assumed, plainSide that where they look independent.
	dispersionSide, plainSide = 0.95, 0.75
)

// clusterTest tells a rise from events that come in clusters.
type clusterTest struct{ *series }

// shown reports whether the rise of an alarm stands out when its events are counted
// in clusters: the excess of the best segment that begins with it, divided by how
// clustered events can at most be (95 %), is at least ln 100 in two minutes of load. Where events come in
// groups with pauses between them, as from a service that is restarted again and
// again, the groups are counted instead.
//
// How clustered events are is seen in the differences between blocks of 1 to 32 s
// behind the alarm (few blocks leave room for large clusters), and in the blocks
// before it. Bursts and episodes before it count, at the load of the alarm, unless
// the rise has outlasted all of them by far.
func (test clusterTest) shown(a alarm, l stretch, warned bool, before []Segment, bursts []Burst) bool {
	from := test.firstEvent(a.from, a.to)
	end := test.dataEnd(a.to, afterSeconds)
	yb, eb, _ := test.rate(0, from)
	if eb == 0 {
		return false
	}
	worst := max(test.clustering(from, end), test.dispersion(from))
	y, e, _ := test.rate(from, end)
	if float64(end-from)*test.r.Step < clusterSeconds && y < outage*e {
		return false
	}
	if warned && test.clean(a.from) {
		return true // what began in the last second, after nothing at all, is told with a warning
	}
	longest, alike := test.groupsBefore(from, y/e, before, bursts)
	if seen := float64(end-from) * test.r.Step; l.pauses == 0 && alike > 0 && seen < outlasts*alike+outlastsBy {
		return false // one more of those that went away
	} else if longest > 0 && seen < outlasts*longest+outlastsBy {
		worst = max(worst, test.bare(from, end))
		yb, eb = test.all(0, from)
	}
	best := 0.0
	for to := a.to + 1; ; to = min(end, from+2*(to-from)) {
		y, e, _ := test.rate(from, to)
		best = max(best, excess(y, y+yb, e/(e+eb)))
		if to >= end {
			break
		}
	}
	// What began after nothing of the kind and went on to the end without a pause, for
	// longer than a cluster, is one thing: nothing tells whether it will last.
	if l.pauses == 0 && float64(end-from)*test.r.Step >= oneThing && float64(from)*test.r.Step >= oneThing &&
		end == test.n && yb/eb <= rare*y/e && e <= mostOfAll*(e+eb) {
		return true
	}
	odds := math.Log(max(1, float64(test.n)*test.r.Step/shownSeconds) / shownChance)
	if best >= odds*worst {
		return true
	}
	return l.pauses > 0 && test.groupOdds(from, l) >= odds
}

// groupOdds is the excess of the groups of events behind a rise over those before
// it, for the best of its beginnings: the alarm's, or that of one of the groups
// before it. A group before it of less than a tenth of the mean of those behind it
// counts for nothing.
func (test clusterTest) groupOdds(from int, l stretch) float64 {
	after := float64(l.pauses + 1)
	if l.lead > 0 { // the alarm's own group is over
		after++
	}
	starts, past := test.groupStarts(max(0, from-groupWindows), from, l.y/after/10)
	best := excess(after, after+float64(len(starts)), test.groupShare(past, from, from, l))
	for i := len(starts) - 1; i >= max(0, len(starts)-mostBeginnings); i-- {
		k := after + float64(len(starts)-i)
		best = max(best, excess(k, k+float64(i), test.groupShare(past, starts[i], from, l)))
	}
	return best
}

const (
	mostBeginnings = 4    // how many beginnings are tried
	groupWindows   = 8192 // how far back groups are counted
)

// groupStarts returns where groups of at least so many events begin in [past, to).
func (test clusterTest) groupStarts(past, to int, least float64) (starts []int, from int) {
	pause := test.r.windows(groupPause)
	begin, last, events := 0, -1, 0.0
	end := func() {
		if last >= 0 && events >= least {
			starts = append(starts, begin)
		}
	}
	for i := past; i < to; i++ {
		if test.r.Count[i] == 0 {
			continue
		}
		if last < 0 || i-last > pause {
			end()
			begin, events = i, 0
		}
		last = i
		events += test.r.Count[i]
	}
	end()
	return starts, past
}

// groupShare is the share of the run in which groups of events could have come
// from a window on; l is what lies behind an alarm from another window on. Whether
// groups come by the request or by the time is not known, and the larger share is
// taken, unless most requests fail in them: what stops a whole service comes by the
// time.
func (test clusterTest) groupShare(past, begin, from int, l stretch) float64 {
	_, before := test.all(past, begin)
	_, between := test.all(begin, from)
	windows := float64(l.windows + from - begin)
	byTime := windows / (windows + float64(begin-past))
	byRequest := (l.e + between) / (l.e + between + before)
	if l.y >= 0.25*l.e {
		return byTime
	}
	return max(byTime, byRequest)
}

// clean reports whether there was no event at all before a window.
func (test clusterTest) clean(k int) bool {
	y, _ := test.all(0, k)
	return y == 0
}

// groupsBefore returns the length in seconds of the longest group of events that
// was masked before a window, and that of those with at least a quarter of a rate.
func (test clusterTest) groupsBefore(k int, rate float64, episodes []Segment, bursts []Burst) (longest, alike float64) {
	all := slices.Clone(episodes)
	for _, b := range bursts {
		all = append(all, Segment{b.Window, b.Window + 1})
	}
	slices.SortFunc(all, func(a, b Segment) int { return cmp.Compare(a.From, b.From) })
	begin, end := 0, -test.n
	for _, g := range all {
		if g.From >= k {
			break
		}
		if g.From-end >= test.r.windows(groupPause) {
			begin = g.From
		}
		end = max(end, g.To)
		seconds := float64(end-begin) * test.r.Step
		longest = max(longest, seconds)
		if y, e := test.all(begin, end); e > 0 && y/e >= rate/4 {
			alike = max(alike, seconds)
		}
	}
	return longest, alike
}

// clustering returns the upper bound of how clustered the events in [from, to) are,
// at least 1: the mean square of the differences between consecutive blocks, or of
// the differences between such differences if that says less, in units of what
// independent events would give. Differences leave a level out, and those of
// differences a growth as well.
func (test clusterTest) clustering(from, to int) float64 {
	worst, known := 1.0, false
	for _, seconds := range afterBlocks {
		few := fewBlocks
		if seconds > longBlock {
			few = manyBlocks
		}
		if d, n := test.roughness(from, to, test.r.windows(seconds)); n >= few {
			worst, known = max(worst, d), true
		}
	}
	if known {
		return worst
	}
	d, _ := test.roughness(from, to, 1)
	return d
}

// afterBlocks are the lengths of the blocks behind an alarm, in seconds: spells
// last longer than clusters. Those above longBlock take more blocks than others.
var afterBlocks = [...]float64{1, 2, 4, 8, 16, 32}

const longBlock, manyBlocks = 8.0, 8

// mostBlocks bounds how many blocks of one length are compared.
const mostBlocks = 256

// roughness is clustering for blocks of one length, and the number of blocks.
func (test clusterTest) roughness(from, to, size int) (bound float64, blocks int) {
	var y, e []float64
	for ; from+size <= to && len(y) < mostBlocks; from += size {
		if ys, es, _ := test.rate(from, from+size); es > 0 {
			y, e = append(y, ys), append(e, es)
		}
	}
	_, ratio, n := scatter(y, e, []float64{1, -1})
	level := dispersionBound(ratio, freedomOfLevel*n)
	_, ratio, n = scatter(y, e, []float64{1, -2, 1})
	if n < 4 {
		return max(1, level), len(y)
	}
	return max(1, min(level, dispersionBound(ratio, freedomOfGrowth*n))), len(y)
}

// bare is the dispersion of all events before a window, with those that were masked,
// at the load of [from, to): a spell in which a share of the requests fails takes
// more of them at a higher load.
func (test clusterTest) bare(from, to int) float64 {
	worst := 1.0
	for b := range test.blocks {
		sums := &test.everything[b]
		at := from / sums.size
		n, y, e := sums.count[at], sums.y[at], sums.e[at]
		if n < minBlocks || y == 0 {
			continue
		}
		p := y / e
		d := (sums.squares[at] - 2*p*y + p*p*e) / (p * max(0.05, 1-p)) / (n - 1)
		if d < 1+3*math.Sqrt(2/(n-1)) {
			continue // as independent events may come
		}
		_, after := test.all(from, to)
		load := after / float64(to-from) / (e / float64(at*sums.size))
		worst = max(worst, 1+(d-1)*max(1, load))
	}
	return worst
}

// scatter looks at a contrast between the rates y/e of consecutive blocks. It returns
// the mean of its squares, each in units of what independent events would give there,
// the sum of its squares in units of that of what independent events would give,
// which weighs large clusters as they weigh in a sum of events, and of how many.
func scatter(y, e, contrast []float64) (mean, ratio, n float64) {
	var squares, expected, units float64
	for i := 0; i+len(contrast) <= len(y); i++ {
		var d, scale, ys, es float64
		for j, c := range contrast {
			d += c * y[i+j] / e[i+j]
			scale += c * c / e[i+j]
			ys, es = ys+y[i+j], es+e[i+j]
		}
		if ys == 0 {
			continue
		}
		p := ys / es
		variance := p * max(0.05, 1-p) * scale
		squares += d * d
		expected += variance
		units += d * d / variance
		n++
	}
	if n == 0 {
		return math.Inf(1), math.Inf(1), 0
	}
	return units / n, squares / expected, n
}

// Contrasts that overlap repeat each other: von Neumann's ratio keeps two thirds of
// the degrees of freedom, that of second differences half.
const (
	freedomOfLevel  = 2.0 / 3
	freedomOfGrowth = 0.51
)

// dispersionBound is the upper confidence bound of a dispersion that was measured
// with so many degrees of freedom.
func dispersionBound(mean, freedom float64) float64 {
	if freedom <= 0 {
		return math.Inf(1)
	}
	freedom = max(1, freedom)
	chi2 := func(p float64) float64 { return 2 * mathext.GammaIncRegInv(freedom/2, p) }
	side := dispersionSide
	if mean*freedom < chi2(dispersionSide) {
		side = plainSide // nothing speaks against independent events
	}
	return max(1, mean) * freedom / chi2(1-side)
}
