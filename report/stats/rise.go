package stats

import (
	"fmt"
	"math"
)

// RiseStatus says what [FindRise] found.
type RiseStatus uint8

// The outcomes.
const (
	NoRise    RiseStatus = iota
	Lasting              // a rise that stays
	FromStart            // events from the first windows on
	Episode              // a rise that went away although its load did not
	Recurring            // bursts at regular intervals
)

// Segment is a stretch of windows [From, To).
type Segment struct{ From, To int }

// Rise is where a rate begins to rise. Positions are in windows from the start of
// the series; a fraction lies within a window.
type Rise struct {
	Status    RiseStatus
	At        float64 // the first event of Lasting and Episode, the first burst of Recurring
	Low, High float64 // 95 % interval, whatever way the rate grows and however clustered events are
	// NearLow and NearHigh are the interval if the rate jumps, or grows with the load, as is
	// fitted: what happened about when the rise did is dated by it.
	NearLow, NearHigh float64
	Clusters          float64 // how clustered the events from At on look, 1: not at all
	Hinge             bool    // grows with the load; else it jumps
	Slow              bool    // grows by small degrees (see [FindGrowth])
	Alarm             int     // the window after which a reader of the stream would have known
	Excess            float64 // log of the odds bound at the alarm

	Before, BeforeOf float64 // events and exposure before At
	After, AfterOf   float64 // from At on

	Bursts   []Burst
	Episodes []Segment
	Period   float64 // Recurring: seconds
	Warnings []string
}

// RiseOptions are the thresholds of [FindRise].
type RiseOptions struct {
	// Alpha bounds the chance of a false alarm in the whole series, if events
	// are independent, at every time at which one may stop reading.
	Alpha float64
	// Floor is the smallest rate worth reporting, in events per exposure.
	Floor float64
	// Late is how long, in seconds, events can be missing yet at the end of the
	// series: requests that were under way when the load ended tell nothing.
	Late float64

	statusOnly bool // nobody looks at the interval
}

const (
	confirmSeconds  = 2.0
	jitterAhead     = 30.0
	minConfirm      = 0.5 // seconds that must follow an alarm to confirm it
	startSeconds    = 5.0
	sustainedWarned = "the load ended before the rise could be seen to last"
)

// FindRise finds where the rate of events begins to rise and stays.
//
// A scan compares segments of 1 to 32 s with all that came before (conditional
// binomial test, see excess); with h = ln(6·n/α) the chance of a false alarm in
// a series of n windows is at most α, if events are independent. An alarm is
// confirmed by the 2 s after it alone (excess ≥ ln 100, two windows with events, a
// rate of at least Floor and thrice the one before), and it lasts if the rate stays
// at half of the segment's while the load is no lower. Events may come in clusters:
// what lasts must stand out as well when clusters are counted instead of events
// (see shown). What does not last is an episode and is masked. The start is the
// first event from the maximum of a profile likelihood over a step and a hinge on,
// or of what leads up to it; the interval is that of all starts within 2Δℓ ≤ 6.0,
// and holds the first event.
//
// The time it takes grows in proportion to the length of the series. In a series of windows
// longer than a second, a second above means a window.
func FindRise(r Rates, o RiseOptions) Rise {
	r, pace := r.atOwnPace()
	o.Late /= pace
	out := findRiseAt(r, o)
	out.Period *= pace
	return out
}

func findRiseAt(r Rates, o RiseOptions) Rise {
	masked, bursts := MaskBursts(r)
	s := scanner{newSeries(r, masked)}
	out := findRise(s, o, bursts)
	if out.Status == NoRise || out.Status == Episode {
		if g, ok := FindGrowth(r); ok {
			return s.grown(g, out)
		}
	}
	if !mostInBursts(r, bursts) {
		return out
	}
	// What comes in bursts again and again is no series of isolated ones: a service
	// that crashes, and is restarted, whenever the load is above its limit. The
	// same scan without the mask, at a high dispersion, tells whether bursts began
	// at a load.
	s = scanner{newSeries(r, make([]bool, len(r.Count)))}
	s.least = maxJitter
	if again := findRise(s, o, bursts); again.Status == Lasting && (out.Status != Lasting || again.At < out.At) {
		return again
	}
	return out
}

// grown is the rise of a slow growth: it has no point of change, and the interval says
// so.
func (s scanner) grown(g Growth, out Rise) Rise {
	at := int(g.From)
	for at < s.n-1 && s.r.Count[at] == 0 {
		at++
	}
	out.Status, out.Hinge, out.Slow = Lasting, false, true
	out.At, out.Low, out.High = float64(at), min(g.Low, float64(at)), max(g.High, float64(at+1))
	out.NearLow, out.NearHigh = out.Low, out.High
	out.Alarm = max(out.Alarm, int(out.High)-1)
	out.Before, out.BeforeOf = s.all(0, at)
	out.After, out.AfterOf = s.all(at, s.n)
	return out
}

// mostInBursts reports whether at least four clusters of bursts hold most of all
// events.
func mostInBursts(r Rates, bursts []Burst) bool {
	var in, all float64
	clusters, last := 0, -3
	for _, b := range bursts {
		in += b.Count
		if b.Window > last+2 {
			clusters++
		}
		last = b.Window
	}
	for _, c := range r.Count {
		all += c
	}
	return clusters >= 4 && 2*in > all
}

func findRise(s scanner, o RiseOptions, bursts []Burst) Rise {
	r := s.r
	out := Rise{Bursts: bursts, Alarm: -1}
	if s.n == 0 {
		return out
	}
	clusters := clusterTest(s)
	where := locator{modelFit(s), o.Floor, o.statusOnly}
	h := math.Log(6 * float64(s.n) / o.Alpha)
	fromStart := s.fromStart()
	var first *Rise
	for start := 0; ; {
		a, ok := s.next(start, h)
		if !ok {
			break
		}
		if !s.confirmed(a, o) || a.raw/s.jitter(a) < h {
			start = a.to + 1
			continue
		}
		lasts, warning, rest := s.lasts(a, o)
		if lasts && !clusters.shown(a, rest, warning != "", out.Episodes, bursts) {
			// The same events will raise the next alarm: look again when there are more.
			start = a.to + 1 + (a.to-a.from)/4
			continue
		}
		if lasts {
			found := out
			found.Status, found.Alarm, found.Excess = Lasting, a.to, a.excess
			where.locate(a, &found)
			if fromStart && !s.flatBefore(int(found.At)) {
				break
			}
			if warning != "" {
				found.Warnings = append(found.Warnings, warning)
			}
			return found
		}
		episode := s.episode(a)
		if first == nil {
			first = &Rise{Status: Episode, Alarm: a.to, Excess: a.excess}
			where.locate(a, first)
		}
		out.Episodes = append(out.Episodes, episode)
		s.mask(episode)
		start = episode.To
	}
	switch period, regular := Regular(bursts, r.Step); {
	case fromStart:
		out.Status = FromStart
		out.After, out.AfterOf = s.all(0, s.n)
		out.High, out.NearHigh = 1, 1
	case first != nil:
		first.Bursts, first.Episodes = bursts, out.Episodes
		return *first
	case regular:
		out.Status, out.Period, out.At = Recurring, period, float64(bursts[0].Window)
		out.Low, out.High = out.At, out.At+1
		out.NearLow, out.NearHigh = out.Low, out.High
		out.Before, out.BeforeOf = s.all(0, bursts[0].Window)
		out.After, out.AfterOf = s.all(bursts[0].Window, s.n)
	}
	return out
}

// fromStart reports whether events were there from the first windows: within
// the first 5 s half of the windows have some, and the lower bound (99.5 %) of
// their rate is above 0.5 %.
func (s scanner) fromStart() bool {
	to := min(s.n, s.r.windows(startSeconds))
	y, e, active := s.rate(0, to)
	exposed := 0
	for i := range to {
		if !s.masked[i] && s.r.Exposure[i] > 0 {
			exposed++
		}
	}
	return active >= 4 && 2*active >= exposed && RateLowerBound(y, e, 0.995) > 0.005
}

// flatBefore reports whether the rate before window k does not grow: what is
// there from the start and grows all the time began before the start.
func (s scanner) flatBefore(k int) bool {
	if k < s.r.windows(startSeconds) {
		return false
	}
	ya, ea, _ := s.rate(0, k/2)
	yb, eb, _ := s.rate(k/2, k)
	if ea == 0 || eb == 0 {
		return false
	}
	pa, pb := ya/ea, yb/eb
	noise := 3 * math.Sqrt((ya/(ea*ea)+yb/(eb*eb))*max(1, dispersionOf(s.r, s.masked, 0, k, 1)))
	after, ae, _ := s.rate(k, s.n)
	return pb-pa <= max(noise, 0.3*pa) && ae > 0 && after/ae >= 3*max(pa, pb)
}

// confirmed looks at the 2 s after an alarm alone; with less than half a second
// left it cannot, and the alarm stands.
func (s scanner) confirmed(a alarm, o RiseOptions) bool {
	to := min(s.n, a.to+1+s.r.windows(confirmSeconds))
	y, e, active := s.rate(a.to+1, to)
	before, exposure, _ := s.rate(0, a.from)
	if to-a.to-1 < s.r.windows(minConfirm) || e == 0 {
		return true
	}
	if active < 2 || y/e < max(o.Floor, 3*before/exposure) {
		return false
	}
	needed := math.Log(100)
	if seconds := float64(to-a.to-1) * s.r.Step; seconds < confirmSeconds {
		needed *= seconds / confirmSeconds
	}
	return excess(y, y+before, e/(e+exposure)) >= needed
}

// maxJitter caps what jitter takes off an alarm: what lasts is looked at more
// closely (see shown).
const maxJitter = 10

// jitter returns how clustered the events of a rise are from the alarm's segment to
// 30 s after it, by the second, from 1 to the cap. Where nothing happened before an
// alarm, this is what first tells a few large clusters from a higher rate.
func (s scanner) jitter(a alarm) float64 {
	size := s.r.windows(1)
	var y, e []float64 // by second
	end := s.dataEnd(a.to, jitterAhead)
	for from := a.from; from+size <= end; from += size {
		if ys, es, _ := s.rate(from, from+size); es > 0 {
			y, e = append(y, ys), append(e, es)
		}
	}
	capped := func(contrast []float64) float64 {
		mean, _, n := scatter(y, e, contrast)
		switch few := n < 3; {
		case few && len(contrast) > 2:
			return maxJitter
		case few:
			return 1
		}
		return min(max(1, mean), maxJitter)
	}
	return min(capped([]float64{1, -1}), capped([]float64{1, -2, 1}))
}

// lasts reports whether the rise stays for the rest of the series while the load
// is no lower than in the alarm's segment, and what that rest is.
func (s scanner) lasts(a alarm, o RiseOptions) (bool, string, stretch) {
	y, e, _ := s.rate(a.from, a.to+1)
	before, exposure, _ := s.rate(0, a.from)
	rate := y / e
	floor := max(o.Floor, 2*before/exposure)
	load := 0.0
	if s.r.Load != nil {
		load = 0.98 * s.r.Load[a.from]
	}
	rest := s.later(a.to+1, load)
	if rest.windows < s.r.windows(1) || rest.e == 0 {
		return true, sustainedWarned, rest
	}
	if rest.y/rest.e >= max(rate/2, floor) {
		// At the load of the alarm itself little may fail: look above it, if anything is.
		above := rest
		if s.r.Load != nil {
			if higher := s.later(a.to+1, 1.05*s.r.Load[a.to]); higher.windows >= s.r.windows(1) {
				above = higher
			}
		}
		return !s.over(above, o.Late), "", rest
	}
	// It comes and goes, as a service that crashes and is restarted, but comes
	// back as long as the load is there.
	rest = s.later(s.episode(a).To, load)
	back := rest.events && 2*(rest.windows-rest.tail) >= rest.windows &&
		rest.pauses+1 >= 2 && rest.y/rest.e >= max(rate/10, floor)
	return back, "", rest
}

// over reports whether what went on without a pause has ended before the series
// did: the windows without events at the end would have had many.
func (s scanner) over(rest stretch, late float64) bool {
	if !rest.events || rest.pauses > 0 || rest.tail < 2 {
		return false
	}
	if float64(rest.tail)*s.r.Step <= late && 4*rest.tail < rest.windows {
		return false
	}
	tail := float64(rest.tail) / float64(rest.windows) * rest.e
	going := rest.y / (rest.e - tail)
	return going*tail >= surelyOver
}

// surelyOver is how many events must be missing for a rise to be over: by chance
// that happens once in a thousand.
const surelyOver = 7.0

// episode returns the stretch that an alarm's rise takes until 2 s pass at less
// than half of its rate.
func (s scanner) episode(a alarm) Segment {
	y, e, _ := s.rate(a.from, a.to+1)
	rate, hold := y/e, s.r.windows(confirmSeconds)
	from := a.from
	for from < a.to && (s.masked[from] || s.r.Count[from] == 0) {
		from++
	}
	to := a.to + 1
	for ; to < s.n; to++ {
		y, e, _ := s.rate(to, to+hold)
		if e == 0 || y/e < rate/2 {
			break
		}
	}
	// Events go on to trickle for a while; those belong to it.
	for to < s.n && s.r.Count[to] > 0 {
		to++
	}
	return Segment{from, to}
}

// String returns the status in words.
func (s RiseStatus) String() string {
	switch s {
	case NoRise:
		return "none"
	case Lasting:
		return "lasting"
	case FromStart:
		return "from the start"
	case Episode:
		return "episode"
	case Recurring:
		return "recurring"
	}
	return fmt.Sprintf("RiseStatus(%d)", uint8(s))
}
