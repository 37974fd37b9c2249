package kernel

import (
	"os"

	"github.com/rampload/rampload/probe"
)

// missing collects what a sampler could not measure, each once.
type missing []*probe.Unsupported

func (m *missing) add(u *probe.Unsupported) {
	if u == nil {
		return
	}
	for _, known := range *m {
		if known.What == u.What {
			return
		}
	}
	*m = append(*m, u)
}

// drop forgets that something was missing: it has appeared.
func (m *missing) drop(what string) {
	for i, known := range *m {
		if known.What == what {
			*m = append((*m)[:i], (*m)[i+1:]...)
			return
		}
	}
}

// closedErr is the error of a sampler that was closed.
func closedErr(closed bool) error {
	if closed {
		return os.ErrClosed
	}
	return nil
}
