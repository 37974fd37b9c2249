//go:build !linux

package rst

import (
	"context"
	"io"
	"net"
	"net/netip"
	"runtime"
	"time"

	"github.com/rampload/rampload/probe"
)

// Trace watches the resets that the kernels of this machine's namespaces send
// and receive. On this system every call says that it cannot be measured.
type Trace struct{ source probe.Source }

// NewTrace returns a watcher that fails with [probe.ErrUnsupported].
func NewTrace(opts TraceOptions) *Trace {
	return &Trace{probe.Source{Host: orLocal(opts.Host), Name: traceName}}
}

// Source names the trace in reports.
func (t *Trace) Source() probe.Source { return t.source }

// Check says why the trace cannot be measured here.
func (t *Trace) Check() error { return elsewhere(traceName) }

// Ready returns a channel that never closes.
func (t *Trace) Ready() <-chan struct{} { return nil }

// Missing is nil: nothing is measured.
func (t *Trace) Missing() []*probe.Unsupported { return nil }

// Watch returns the error of Check.
func (t *Trace) Watch(context.Context, func(probe.Event)) error { return t.Check() }

// Status says that nothing was measured.
func (t *Trace) Status() probe.Status { return unmeasured(t.source, t.Check()) }

// Capture takes RST packets from a network namespace. On this system every call
// says that it cannot be measured.
type Capture struct{ source probe.Source }

// NewCapture returns a watcher that fails with [probe.ErrUnsupported].
func NewCapture(opts CaptureOptions) *Capture {
	return &Capture{probe.Source{Host: orLocal(opts.Host), Name: captureName}}
}

// Source names the capture in reports.
func (capture *Capture) Source() probe.Source { return capture.source }

// Check says why packets cannot be captured here.
func (capture *Capture) Check() error { return elsewhere(captureName) }

// Ready returns a channel that never closes.
func (capture *Capture) Ready() <-chan struct{} { return nil }

// Missing is nil: nothing is measured.
func (capture *Capture) Missing() []*probe.Unsupported { return nil }

// Watch returns the error of Check.
func (capture *Capture) Watch(context.Context, func(probe.Event)) error { return capture.Check() }

// Status says that nothing was measured.
func (capture *Capture) Status() probe.Status { return unmeasured(capture.source, capture.Check()) }

// Kept returns 0: nothing was captured.
func (capture *Capture) Kept() int { return 0 }

// WritePcapng returns the error of Check.
func (capture *Capture) WritePcapng(io.Writer, func(local, remote netip.AddrPort, at time.Duration) string) error {
	return capture.Check()
}

// NetnsAddrs returns the addresses of this machine. On this system there are no
// network namespaces to name.
func NetnsAddrs(path string) ([]netip.Addr, error) {
	if path != "" {
		return nil, elsewhere("network namespace " + path)
	}
	list, err := net.InterfaceAddrs()
	return prefixAddrs(list), err
}

func elsewhere(what string) error {
	return &probe.Unsupported{What: what, Reason: runtime.GOOS + " does not offer it", Needs: "Linux"}
}

func unmeasured(source probe.Source, err error) probe.Status {
	s := newState(source)
	s.failed(err)
	return s.report()
}
