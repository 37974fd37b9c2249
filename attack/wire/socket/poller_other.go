//go:build !linux

package socket

import "time"

// Poller is only on Linux: elsewhere Go's poller waits for every socket.
type Poller struct{}

// NewPoller makes a poller; Run it.
func NewPoller(func() time.Duration) (*Poller, error) { return &Poller{}, nil }

// Run returns at once.
func (p *Poller) Run() {}

// Close does nothing.
func (p *Poller) Close() {}
