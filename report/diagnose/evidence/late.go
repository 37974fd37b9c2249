package evidence

import (
	"math"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/words"
)

// Lateness is what successful answers that took much longer than most have in common.
type Lateness struct {
	Typical, Tail float64 // seconds: the median and the 99th percentile
	From          float64 // seconds: from here on an answer is late
	Late, All     float64 // answers
	Count         []float64
	Exposure      []float64 // answers by the window in which they came
	late          attack.Histogram
}

// The least that waits of known origin take, in seconds.
const (
	RetransmitWait = 0.2  // a retransmission on Linux (TCP_RTO_MIN)
	SynWait        = 1.0  // the first retransmission of a SYN (RFC 6298)
	DelayedAckWait = 0.04 // an acknowledgement that waits for data (TCP_DELACK_MIN)
	ThrottlePeriod = 0.1  // the period of a processor quota that asked for no other
)

// LateAnswers returns the answers that took so many times the median and at least so
// long.
func LateAnswers(c *Case, least, times float64) Lateness {
	var all attack.Histogram
	for _, w := range c.Target.Windows {
		all = all.Merge(w.FromSend)
	}
	out := Lateness{All: float64(all.Total()), Count: make([]float64, c.Run.N), Exposure: make([]float64, c.Run.N)}
	if out.All == 0 {
		return out
	}
	out.Typical, out.Tail = quantile(all, 0.5), quantile(all, 0.99)
	out.From = math.Max(least, times*out.Typical)
	for _, b := range all {
		if words.Microseconds(b.Value).Seconds() >= out.From {
			out.late = append(out.late, b)
			out.Late += float64(b.Count)
		}
	}
	for _, w := range c.Target.Windows {
		i := min(int(w.Index), c.Run.N-1)
		if i < 0 {
			continue
		}
		for _, b := range w.FromSend {
			out.Exposure[i] += float64(b.Count)
			if words.Microseconds(b.Value).Seconds() >= out.From {
				out.Count[i] += float64(b.Count)
			}
		}
	}
	return out
}

func quantile(h attack.Histogram, q float64) float64 {
	v, ok := h.Quantile(q)
	if !ok {
		return math.NaN()
	}
	return words.Microseconds(v).Seconds()
}

// Near returns the part of the late answers that took a wait, or a sum of waits that
// double as a retransmission timer does (w, 3w, 7w), and hardly more: the usual time of an
// answer and a fifth of the wait on top.
func (l Lateness) Near(wait float64) float64 {
	n := 0.0
	for _, b := range l.late {
		v := words.Microseconds(b.Value).Seconds()
		for total, next := wait, 2*wait; total < 64*wait; total, next = total+next, 2*next {
			if v >= 0.98*total && v <= 1.25*total+2*l.Typical {
				n += float64(b.Count)
				break
			}
		}
	}
	return n / max(l.Late, 1)
}

// Bursts returns the times in which most of what was answered was late, where they hold
// nearly all of the late answers and are few; and the longest wait, in seconds. So it is
// where a whole process stands still for a moment, and not where single answers wait.
func (l Lateness) Bursts(step float64) (spells []Spell, longest float64) {
	held, windows := 0.0, 0
	for i := 0; i < len(l.Count); i++ {
		if l.Exposure[i] > 0 {
			windows++
		}
		if l.Count[i] < 3 || l.Count[i] < 0.3*l.Exposure[i] {
			continue
		}
		held += l.Count[i]
		if n := len(spells); n > 0 && int(spells[n-1].To) == i {
			spells[n-1].To = float64(i + 1)
			continue
		}
		spells = append(spells, Spell{float64(i), float64(i + 1)})
	}
	if held < 0.8*l.Late || 4*len(spells) > windows {
		return nil, 0
	}
	for i, s := range spells {
		if s.To-s.From > 8 {
			return nil, 0 // a load that is too high, not a pause
		}
		spells[i] = Spell{s.From * step, s.To * step}
	}
	if n := len(l.late); n > 0 {
		longest = words.Microseconds(l.late[n-1].Value).Seconds()
	}
	return spells, longest
}

// Within returns the part of all answers that took between two times, in seconds.
func (l Lateness) Within(from, to float64) float64 {
	n := 0.0
	for _, b := range l.late {
		if v := words.Microseconds(b.Value).Seconds(); v >= from && v <= to {
			n += float64(b.Count)
		}
	}
	return n / max(l.All, 1)
}
