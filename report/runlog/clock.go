package runlog

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// ClockModel says how the clock of another machine runs against the run's: what it
// reads less what the run's reads at the same moment, and how that changes.
type ClockModel struct {
	Offset time.Duration // at Ref
	Drift  float64       // growth of the offset, in seconds a second
	Ref    time.Duration // on the other machine's clock
	// Error is one standard deviation of the offset at any time of the run.
	Error time.Duration
}

// Known reports whether the clocks were compared at all.
func (m ClockModel) Known() bool { return m.Error > 0 }

// ToRun converts a time of the other machine's clock to the run's.
func (m ClockModel) ToRun(at time.Duration) time.Duration {
	return at - m.Offset - time.Duration(m.Drift*float64(at-m.Ref))
}

const (
	// clockBucket is the time in which the comparison with the shortest round trip
	// stands for all: the others were held up in a queue on one of the two ways.
	clockBucket = 10 * time.Second
	// driftSpan is the least time over which a drift can be told from the noise.
	driftSpan = time.Minute
	// usualDrift is how far crystal clocks of two machines run apart (RFC 5905,
	// appendix A.5.1, PHI: 15e-6 each), where it was not measured.
	usualDrift = 30e-6
	leastError = 10 * time.Microsecond // reading a clock and waking up take time
)

// offset returns what the part's clock read less what the run's read in the middle
// of the comparison, and its round trip. The way there and the way back may differ
// by at most the round trip, so that the error is at most half of it.
func (r ClockReading) offset() (offset, roundTrip time.Duration) {
	return ((r.Received - r.Asked) + (r.Answered - r.Returned)) / 2, (r.Returned - r.Asked) - (r.Answered - r.Received)
}

// EstimateClock estimates how a clock runs from comparisons of one member, in any
// order. The zero model means that there were none that can be true.
func EstimateClock(readings []ClockReading) ClockModel {
	readings = slices.Clone(readings)
	readings = slices.DeleteFunc(readings, func(r ClockReading) bool {
		_, rtt := r.offset()
		return rtt < 0 || r.Returned < r.Asked || r.Answered < r.Received
	})
	if len(readings) == 0 {
		return ClockModel{}
	}
	slices.SortFunc(readings, func(a, b ClockReading) int { return int(a.Received - b.Received) })
	best := shortest(readings)

	var times, offsets, errs []float64
	for _, r := range best {
		o, rtt := r.offset()
		times = append(times, r.Received.Seconds())
		offsets = append(offsets, o.Seconds())
		errs = append(errs, max(rtt, 2*leastError).Seconds()/2)
	}
	span := times[len(times)-1] - times[0]
	if len(best) < 4 || span < driftSpan.Seconds() {
		least := 0
		for i := range errs {
			if errs[i] < errs[least] {
				least = i
			}
		}
		offset, _ := best[least].offset()
		return ClockModel{Offset: offset, Ref: best[least].Received, Error: seconds(errs[least] + usualDrift*span)}
	}
	return fitClock(times, offsets, errs)
}

// shortest returns the comparison with the shortest round trip of each bucket.
func shortest(readings []ClockReading) []ClockReading {
	var best []ClockReading
	bucket := time.Duration(math.MinInt64)
	for _, r := range readings {
		_, rtt := r.offset()
		if b := (r.Received - readings[0].Received) / clockBucket; len(best) == 0 || b != bucket {
			best, bucket = append(best, r), b
			continue
		}
		if _, least := best[len(best)-1].offset(); rtt < least {
			best[len(best)-1] = r
		}
	}
	return best
}

// fitClock lays a line through the offsets, each with the weight of its error. What
// stays off the line is error too.
func fitClock(times, offsets, errs []float64) ClockModel {
	var w, wt, wo float64
	for i := range times {
		k := 1 / (errs[i] * errs[i])
		w, wt, wo = w+k, wt+k*times[i], wo+k*offsets[i]
	}
	ref, mean := wt/w, wo/w
	var num, den float64
	for i := range times {
		k := 1 / (errs[i] * errs[i])
		num += k * (times[i] - ref) * (offsets[i] - mean)
		den += k * (times[i] - ref) * (times[i] - ref)
	}
	drift := num / den
	var off, least float64
	least = math.Inf(1)
	for i := range times {
		off = max(off, math.Abs(offsets[i]-mean-drift*(times[i]-ref))-errs[i])
		least = min(least, errs[i])
	}
	return ClockModel{
		Offset: seconds(mean), Drift: drift, Ref: seconds(ref),
		Error: seconds(least + max(0, off)),
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// restartJump is by how much a clock jumps at least where its machine was started again.
const restartJump = time.Second

// ofStart returns the comparisons of a member that are of the clock by which one of its
// records goes: a machine that was started again counts its time anew.
func ofStart(readings []ClockReading, part *Log) []ClockReading {
	readings = slices.Clone(readings)
	slices.SortStableFunc(readings, func(a, b ClockReading) int { return cmp.Compare(a.Asked, b.Asked) })
	var starts [][]ClockReading
	for i, r := range readings {
		o, rtt := r.offset()
		if i > 0 {
			before, rttBefore := readings[i-1].offset()
			if d := o - before; max(d, -d) < restartJump+max(rtt, 0)+max(rttBefore, 0) {
				starts[len(starts)-1] = append(starts[len(starts)-1], r)
				continue
			}
		}
		starts = append(starts, []ClockReading{r})
	}
	if len(starts) < 2 {
		return readings
	}
	best, most := 0, -1
	for i, of := range starts {
		from, to := of[0].Received-10*time.Second, of[len(of)-1].Answered+10*time.Second
		n := 0
		for _, s := range part.Series {
			for _, at := range s.At {
				if at >= from && at <= to {
					n++
				}
			}
		}
		if n > most {
			best, most = i, n
		}
	}
	return starts[best]
}
