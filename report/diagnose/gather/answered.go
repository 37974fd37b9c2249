package gather

import (
	"math"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// LeastRefused is the number of failures below which a sample of the answers tells nothing.
const LeastRefused = 50

// AnsweredWell estimates how many answers of a hop between two times, in seconds, were no errors,
// with the standard error of the estimate; 0 where no answer could be read.
func AnsweredWell(c *evidence.Case, index int, from, to float64) (well, err float64) {
	for _, e := range c.Run.Log.Events {
		if t := e.At.Seconds(); e.Kind != probe.Answered || e.Reason != "" || t < from || t >= to {
			continue
		}
		if at, ok := HopAt(c, e.Local); ok && at == index {
			well += float64(e.Count)
			err += float64(e.Count) * max(e.Value, 1) // variance of a sample: each answer that was read stands for e.Value
		}
	}
	return well, math.Sqrt(err)
}
