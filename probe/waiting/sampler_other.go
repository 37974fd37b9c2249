//go:build !linux

package waiting

import (
	"context"
	"runtime"

	"github.com/rampload/rampload/probe"
)

type owners struct{}

// Sampler cannot be opened on this system.
type Sampler struct{ source probe.Source }

// New returns an error that matches [probe.ErrUnsupported].
func New(Options) (*Sampler, error) { return nil, unsupported() }

func unsupported() error {
	return &probe.Unsupported{What: "requests", Reason: "this system is " + runtime.GOOS, Needs: "Linux"}
}

// Source names the sampler in reports.
func (s *Sampler) Source() probe.Source { return s.source }

// Missing returns nothing: the sampler cannot be opened.
func (s *Sampler) Missing() []*probe.Unsupported { return nil }

// Sample returns that nothing can be measured here.
func (s *Sampler) Sample(context.Context, func(probe.Sample)) error { return unsupported() }

// Services returns nothing.
func (s *Sampler) Services() []Service { return nil }

// Close does nothing.
func (s *Sampler) Close() error { return nil }
