package wire

import (
	"context"
	"net/netip"
	"net/url"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// Config is what the connections to one target need.
type Config struct {
	Target  uint16          // index of the target in the profile
	Profile profiles.Target // its URL and expected statuses
	Client  profiles.Client // a Timeout of 0 means no time limit
	RunID   attack.RunID
	// Clock gives the time since the start of the load. It must be monotonic,
	// fast and safe for concurrent use. Nil: time since New.
	Clock func() time.Duration
	// OnIdle takes what happened to a connection without an attempt in flight:
	// see [Transport]. Nil: not reported. Calls come from one goroutine.
	OnIdle func(attack.Attempt)
	// OnAddress is told each remote address before the first attempt that uses
	// it ends; index counts from 1. A Unix socket and an unknown address are the
	// zero AddrPort. Nil: not told. Calls do not overlap.
	OnAddress func(index uint16, addr netip.AddrPort)
	// Resolve finds the addresses of a name. Nil: the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Proxy finds the proxy of a target, nil for none. It is asked once, and only
	// with Client.Proxy. Nil: HTTP_PROXY, HTTPS_PROXY and NO_PROXY.
	Proxy func(*url.URL) (*url.URL, error)
}

// Stats are the connections of a transport.
type Stats struct {
	Dials           uint64  // connections opened or tried to open, since New
	Open            int64   // connections in use, idle or being opened, now
	Idle            int64   // connections without an attempt, now
	IdleConnSeconds float64 // time that connections spent without an attempt, since New
}

// Transport holds the connections to one target.
type Transport struct{}

// Request is one request of a target, encoded once.
type Request struct{}

// Lease is one connection slot of its own.
type Lease struct{}

// New makes a transport; it opens no connection.
func New(cfg Config) (*Transport, error) { panic("unfinished") }

// Compile encodes a request of the target.
func (t *Transport) Compile(r profiles.Request) (*Request, error) { panic("unfinished") }

// Do sends one attempt and waits for its end.
func (t *Transport) Do(r *Request, a *attack.Attempt) { panic("unfinished") }

// Lease returns a connection slot of its own.
func (t *Transport) Lease() *Lease { panic("unfinished") }

// Do sends one attempt over the slot's connection.
func (l *Lease) Do(r *Request, a *attack.Attempt) { panic("unfinished") }

// Close closes the slot's connection.
func (l *Lease) Close() { panic("unfinished") }

// RemoteIndex returns the index that OnAddress gave an address, 0 if none.
func (t *Transport) RemoteIndex(addr netip.AddrPort) uint16 { panic("unfinished") }

// Stats returns the connections as they are.
func (t *Transport) Stats() Stats { panic("unfinished") }

// Hold keeps n connections open.
func (t *Transport) Hold(n int) { panic("unfinished") }

// Abort ends every attempt in flight with Fault Canceled and refuses new ones.
func (t *Transport) Abort() { panic("unfinished") }

// Close closes all connections.
func (t *Transport) Close() error { panic("unfinished") }

// Classify returns the fault of an error.
func Classify(err error) attack.Fault { panic("unfinished") }
