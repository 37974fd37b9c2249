package gather

import (
	"math"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
)

// LeastRefused is the number of failures below which a sample of the answers tells nothing.
const LeastRefused = 50

// AnsweredWell returns about how many answers of a hop were no errors in a time, with the
// standard error of that; 0 where none could be read.
func AnsweredWell(c *evidence.Case, index int, from, to float64) (well, err float64) {
	for _, e := range c.Run.Log.Events {
		if t := e.At.Seconds(); e.Kind != probe.Answered || e.Reason != "" || t < from || t >= to {
			continue
		}
		if at, ok := HopAt(c, e.Local); ok && at == index {
			well += float64(e.Count)
			err += float64(e.Count) * max(e.Value, 1) // of n that were counted, each for some
		}
	}
	return well, math.Sqrt(err)
}
