package wire

import (
	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// Open is an [attack.Opener] for HTTP.
func Open(cfg attack.ClientConfig) (attack.Client, error) {
	t, err := New(Config{
		Target: cfg.Target, Profile: cfg.Profile, Client: cfg.Client, RunID: cfg.RunID,
		Clock: cfg.Clock, OnIdle: cfg.OnIdle, OnAddress: cfg.OnAddress,
	})
	if err != nil {
		return nil, err
	}
	return driven{t}, nil
}

// driven is a transport as drivers see it.
type driven struct{ *Transport }

func (d driven) Do(r attack.Request, a *attack.Attempt) { d.Transport.Do(r.(*Request), a) }

func (d driven) Compile(r profiles.Request) (attack.Request, error) {
	return d.Transport.Compile(r)
}

func (d driven) Slot() attack.Slot { return slot{d.Lease()} }

// slot is a lease as drivers see it.
type slot struct{ *Lease }

func (s slot) Do(r attack.Request, a *attack.Attempt) { s.Lease.Do(r.(*Request), a) }

// Repeatable reports whether the method may be repeated without harm (RFC 9110
// §9.2.2).
func (r *Request) Repeatable() bool {
	switch r.method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}
