//go:build !linux

package kernel

import (
	"context"
	"runtime"

	"github.com/rampload/rampload/probe"
)

func unsupported(what string) error {
	return &probe.Unsupported{What: what, Reason: "this system is " + runtime.GOOS, Needs: "Linux"}
}

// none is a sampler that cannot be opened here; it exists for its methods.
type none struct{ source probe.Source }

// Source names the sampler in reports.
func (n *none) Source() probe.Source { return n.source }

// Sample returns that nothing can be measured here.
func (n *none) Sample(context.Context, func(probe.Sample)) error { return unsupported(n.source.Name) }

// Missing returns nothing: the sampler cannot be opened.
func (n *none) Missing() []*probe.Unsupported { return nil }

// Close does nothing.
func (n *none) Close() error { return nil }

// Sockets cannot be opened on this system.
type Sockets struct{ none }

// Counters cannot be opened on this system.
type Counters struct{ none }

// Cgroup cannot be opened on this system.
type Cgroup struct{ none }

// ProcessNetwork cannot be opened on this system.
type ProcessNetwork struct{ none }

// NewSockets returns an error that matches [probe.ErrUnsupported].
func NewSockets(Options) (*Sockets, error) { return nil, unsupported("sockets") }

// NewCounters returns an error that matches [probe.ErrUnsupported].
func NewCounters(Options) (*Counters, error) { return nil, unsupported("kernel counters") }

// NewCgroup returns an error that matches [probe.ErrUnsupported].
func NewCgroup(Options, string, func() []int32) (*Cgroup, error) { return nil, unsupported("cgroup") }

// NewProcessNetwork returns an error that matches [probe.ErrUnsupported].
func NewProcessNetwork(_ Options, label string, _ func() []int32) (*ProcessNetwork, error) {
	return nil, unsupported("network of " + label)
}

// ReadLimits returns an error that matches [probe.ErrUnsupported].
func ReadLimits(Options) (Limits, error) { return Limits{}, unsupported("kernel limits") }

// DrainEvents hands over nothing.
func (*Counters) DrainEvents(func(probe.Event)) {}
