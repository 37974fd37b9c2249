//go:build !linux

package socket

// Poller is only on Linux: elsewhere Go's poller waits for every socket.
type Poller struct{}

// NewPoller makes a poller; Run it.
func NewPoller() (*Poller, error) { return &Poller{}, nil }

// Run returns at once.
func (p *Poller) Run() {}

// Close does nothing.
func (p *Poller) Close() {}
