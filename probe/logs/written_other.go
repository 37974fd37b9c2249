//go:build !linux

package logs

import (
	"context"

	"github.com/rampload/rampload/probe"
)

// Written follows the files into which watched processes write text: on Linux alone.
type Written struct{ source probe.Source }

// NewWritten returns a watcher that says that it cannot.
func NewWritten(text, host, _ string, _ func() string, _ func() []int32, _ *Claims, _ probe.Clock) *Written {
	return &Written{probe.Source{Host: host, Name: "files written by " + text}}
}

// Source names what is followed.
func (w *Written) Source() probe.Source { return w.source }

// Missing is nil: nothing is read.
func (w *Written) Missing() []*probe.Unsupported { return nil }

// Watch says that it cannot.
func (w *Written) Watch(context.Context, func(probe.Event)) error {
	return &probe.Unsupported{What: w.source.Name, Reason: "the descriptors of other processes are read on Linux alone"}
}
