//go:build !linux

package host

import (
	"runtime"

	"github.com/rampload/rampload/probe"
)

// system has nothing to tell beyond gopsutil here.
type system struct{}

func (*system) open(_ Options, m *missing) {
	for _, what := range []string{"file table", "threads of the host"} {
		m.add(what, &probe.Unsupported{What: what, Reason: "this system is " + runtime.GOOS, Needs: "Linux"})
	}
}

func (*system) close() error { return nil }

func (*system) emit(func(name, instance string, v, limit float64), *missing) error { return nil }

func wholeDisks(string) []string { return nil }
