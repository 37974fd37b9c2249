package kernels

import (
	"slices"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// Absences returns the stretches in which the port refused connections, by the
// client's record, each at most 5 s and followed by connections that were taken
// again. Where most requests are answered all the time, nobody was away.
func Absences(c *evidence.Case, h evidence.Hop) []evidence.Death {
	if h.Index > 0 {
		return nil
	}
	var refused, taken []float64 // taken: times of connections that came up and failed later
	for _, x := range c.Failures {
		switch {
		case x.Fault == attack.Refused:
			refused = append(refused, x.End.Seconds())
		case evidence.ConnectionFault(x) && !x.Conn.Reused:
			taken = append(taken, x.Start.Seconds())
		}
	}
	slices.Sort(refused)
	slices.Sort(taken)
	between := func(from, to float64) bool {
		i, _ := slices.BinarySearch(taken, from)
		return i < len(taken) && taken[i] < to
	}
	var out []evidence.Death
	for _, at := range refused {
		if n := len(out); n > 0 && at-out[n-1].Back < 0.75 && !answered(c, out[n-1].Back, at) && !between(out[n-1].Back+0.005, at-0.005) {
			out[n-1].Back = at
			continue
		}
		out = append(out, evidence.Death{At: at, Back: at})
	}
	return slices.DeleteFunc(out, func(d evidence.Death) bool {
		first, last := c.Run.Window(d.At), c.Run.Window(d.Back)
		from, _ := slices.BinarySearch(refused, c.Run.Seconds(float64(first)))
		to, _ := slices.BinarySearch(refused, c.Run.Seconds(float64(last+1)))
		after := c.Target.Ok[min(last+1, c.Run.N):min(last+9, c.Run.N)]
		return d.Back-d.At > 5 || evidence.Sum(after) == 0 && !between(d.Back, d.Back+2) ||
			float64(to-from) < 0.5*evidence.Sum(c.Target.Ok[first:last+1])
	})
}

// answered reports whether requests of a whole window between two refusals were
// answered.
func answered(c *evidence.Case, from, to float64) bool {
	for i := c.Run.Window(from) + 1; i < c.Run.Window(to); i++ {
		if c.Target.Ok[i] > 0 {
			return true
		}
	}
	return false
}
