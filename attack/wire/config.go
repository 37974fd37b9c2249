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
	Target   uint16           // index of the target in the profile
	Profile  profiles.Target  // its URL and expected statuses
	Client   profiles.Client  // a Timeout of 0 means no time limit
	Data     []profiles.Table // that requests are filled with
	Vars     []string         // see [attack.ClientConfig]
	Callback string           // see [attack.ClientConfig]
	RunID    attack.RunID
	Tracing  attack.Tracing
	// Clock gives the time since the start of the load. It must be monotonic,
	// fast and safe for concurrent use. Nil: time since New.
	Clock func() time.Duration
	// OnIdle takes what happened to a connection without an attempt in flight:
	// see [Transport]. Nil: not reported. Calls come from one goroutine.
	OnIdle func(attack.Attempt)
	// OnAddress is told each remote address before the first attempt that uses
	// it ends; index counts from 1. A Unix socket is the zero AddrPort. Nil: not
	// told. Calls do not overlap.
	OnAddress func(index uint16, addr netip.AddrPort)
	// OnHold is told when a connection to hold begins to be opened, and when it was
	// due. Nil: not told. Calls may overlap.
	OnHold func(due, start time.Duration)
	// OnAside takes what is counted beside requests: see [attack.ClientConfig].
	OnAside func(profiles.Role, attack.Attempt)
	// Resolve finds the addresses of a name. Nil: the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Proxy finds the proxy of a target, nil for none. It is asked once, and only
	// with Client.Proxy. Nil: HTTP_PROXY, HTTPS_PROXY and NO_PROXY.
	Proxy func(*url.URL) (*url.URL, error)
	// Exchange makes the protocol that is spoken. Required.
	Exchange Protocol
}

// ConfigOf is the configuration that a driver of load wants.
func ConfigOf(cfg attack.ClientConfig, protocol Protocol) Config {
	return Config{
		Target: cfg.Target, Profile: cfg.Profile, Client: cfg.Client, Data: cfg.Data, Vars: cfg.Vars, Callback: cfg.Callback, RunID: cfg.RunID, Tracing: cfg.Tracing,
		Clock: cfg.Clock, OnIdle: cfg.OnIdle, OnAddress: cfg.OnAddress, OnHold: cfg.OnHold, OnAside: cfg.OnAside, Exchange: protocol,
	}
}

// Open returns an [attack.Opener] of clients that speak a protocol.
func Open(protocol Protocol) attack.Opener {
	return func(cfg attack.ClientConfig) (attack.Client, error) {
		t, err := New(ConfigOf(cfg, protocol))
		if err != nil {
			return nil, err
		}
		return t, nil
	}
}
