// Package investigate tells apart the causes that one run left open: it chooses the
// experiment that tells most among what is left, says what profile carries it out, and
// draws the conclusion. It sends nothing; the program does.
package investigate

import (
	"cmp"
	"math"
	"slices"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/causes"
	"github.com/rampload/rampload/report/diagnose/inquiry"
)

// Belief is how likely each of the causes that are left is. What is not in it is
// something else.
type Belief []Candidate

// Candidate is a cause and its share of belief in [0,1].
type Candidate struct {
	Cause string
	Share float64
}

const (
	right    = 0.92 // an experiment ends as a cause predicts
	wrong    = 0.04 // and the opposite
	enough   = 0.95 // belief from which on one cause is left
	leftOver = 0.02 // belief from which on a cause is still a candidate
	tellsBy  = 0.05 // bits that an experiment must promise, to be worth its load
)

// From returns what a report left open of its first target: the causes named, in order.
func From(r *report.Report) (target string, b Belief) {
	if len(r.Findings) == 0 {
		return "", nil
	}
	target = r.Findings[0].Target
	for _, f := range r.Findings {
		if f.Target == target && (f.Verdict == "ambiguous" || f.Verdict == "explains") {
			b = append(b, Candidate{f.Cause, f.Confidence})
		}
	}
	return target, b
}

// Decided reports whether one cause is left.
func (b Belief) Decided() bool { return len(b) > 0 && b[0].Share >= enough }

// likelihood of an outcome under a cause; key "" is something else.
func likelihood(key string, e inquiry.Experiment, o inquiry.Outcome) float64 {
	p := inquiry.Unsure
	if key != "" {
		p = causes.Predicts(key, e)
	}
	switch {
	case p == inquiry.Unsure && o == inquiry.Unsure:
		return 0.2
	case p == inquiry.Unsure:
		return 0.4
	case o == inquiry.Unsure:
		return 1 - right - wrong
	case o == p:
		return right
	}
	return wrong
}

// other is the belief in something that is not a candidate.
func (b Belief) other() float64 {
	s := 1.0
	for _, c := range b {
		s -= c.Share
	}
	return max(s, 0.005)
}

// After returns the belief after an experiment ended so.
func (b Belief) After(e inquiry.Experiment, o inquiry.Outcome) Belief {
	total := b.other() * likelihood("", e, o)
	for _, c := range b {
		total += c.Share * likelihood(c.Cause, e, o)
	}
	out := make(Belief, len(b))
	for i, c := range b {
		out[i] = Candidate{c.Cause, c.Share * likelihood(c.Cause, e, o) / total}
	}
	slices.SortStableFunc(out, func(x, y Candidate) int { return cmp.Compare(y.Share, x.Share) })
	return out
}

// entropy of a belief in bits.
func (b Belief) entropy() float64 {
	h := 0.0
	add := func(p float64) {
		if p > 0 {
			h -= p * math.Log2(p)
		}
	}
	for _, c := range b {
		add(c.Share)
	}
	add(b.other())
	return h
}

// Gain returns how many bits an experiment is expected to tell.
func (b Belief) Gain(e inquiry.Experiment) float64 {
	g := b.entropy()
	for _, o := range []inquiry.Outcome{inquiry.Unsure, inquiry.Goes, inquiry.Stays} {
		p := b.other() * likelihood("", e, o)
		for _, c := range b {
			p += c.Share * likelihood(c.Cause, e, o)
		}
		g -= p * b.After(e, o).entropy()
	}
	return g
}

// Next returns the experiment of those that can be made that tells most; ok is false
// when one cause is left, or none can tell what is left apart.
func (b Belief) Next(can []inquiry.Experiment) (best inquiry.Experiment, ok bool) {
	if b.Decided() {
		return "", false
	}
	most := tellsBy
	for _, e := range can {
		if !b.differ(e) {
			continue
		}
		if g := b.Gain(e); g > most {
			best, most, ok = e, g, true
		}
	}
	return best, ok
}

// differ reports whether an experiment speaks of any cause at all that is left.
func (b Belief) differ(e inquiry.Experiment) bool {
	return slices.ContainsFunc(b, func(c Candidate) bool {
		return c.Share >= leftOver && causes.Predicts(c.Cause, e) != inquiry.Unsure
	})
}

// Tells words what an experiment tells apart: the causes of which failures go, and those
// of which they stay.
func (b Belief) Tells(e inquiry.Experiment) (goes, stays []string) {
	for _, c := range b {
		if c.Share < leftOver {
			continue
		}
		switch causes.Predicts(c.Cause, e) {
		case inquiry.Goes:
			goes = append(goes, c.Cause)
		case inquiry.Stays:
			stays = append(stays, c.Cause)
		}
	}
	return goes, stays
}

// Counts are the requests of a target in one experiment.
type Counts struct{ Requests, Failed float64 }

// Share returns the part that failed.
func (c Counts) Share() float64 { return c.Failed / max(c.Requests, 1) }

// Compare says what an experiment made of the failures of the same load unchanged.
func Compare(reference, changed Counts) inquiry.Outcome {
	if reference.Requests < 20 || changed.Requests < 20 {
		return inquiry.Unsure
	}
	// The rates differ beyond chance, with a margin for failures that come in clusters.
	p := (reference.Failed + changed.Failed) / (reference.Requests + changed.Requests)
	sd := math.Sqrt(max(p*(1-p), 1e-9) * (1/reference.Requests + 1/changed.Requests))
	differs := (reference.Share() - changed.Share()) / sd
	switch {
	case changed.Share() <= reference.Share()/4 && differs >= 4:
		return inquiry.Goes
	case changed.Share() >= 0.6*reference.Share():
		return inquiry.Stays
	}
	return inquiry.Unsure
}
