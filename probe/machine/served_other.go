//go:build !linux

package machine

import "github.com/rampload/rampload/probe/waiting"

// newServed returns an error that matches [probe.ErrUnsupported].
func newServed(*part) (*waiting.Sampler, error) {
	return waiting.New(waiting.Options{})
}

// newServedBy returns an error that matches [probe.ErrUnsupported].
func newServedBy(*part, string, func() []int32) (*waiting.Sampler, error) {
	return waiting.New(waiting.Options{})
}
