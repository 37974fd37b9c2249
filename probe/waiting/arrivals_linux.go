package waiting

import (
	"math"

	"github.com/rampload/rampload/probe/internal/procfs"
)

// passiveOpens reads how many connections have come in to a namespace, NaN where it
// cannot be read.
func passiveOpens(f *procfs.File) float64 {
	b, err := f.Read()
	if err != nil {
		return math.NaN()
	}
	return readOpens(b)
}
