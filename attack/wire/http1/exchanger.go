// Package http1 speaks HTTP/1.1 on the connection layer: one request at a time on a
// connection, written in one go and answered without an allocation on the steady
// path. Responses are framed strictly and thrown away; none is decoded, no redirect
// followed, nothing sent twice.
package http1

import (
	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/message"
	"github.com/rampload/rampload/profiles"
)

// Exchanger is HTTP/1.1 to one target.
type Exchanger struct {
	target wire.Target
	expect profiles.StatusSet // the statuses that are no failure; empty: all
	kept   message.Answers    // how many answers of failed attempts are
}

var _ wire.Exchanger = (*Exchanger)(nil)

// New is a [wire.Protocol].
func New(to wire.Target) (wire.Exchanger, error) { return NewExchanger(to), nil }

// NewExchanger makes the exchanger of a target.
func NewExchanger(to wire.Target) *Exchanger {
	return &Exchanger{target: to, expect: to.Profile.Expect}
}

// Offer implements [wire.Exchanger].
func (x *Exchanger) Offer() wire.Offer {
	return wire.Offer{Protocols: []string{"http/1.1"}, Sessions: wire.Serial}
}

// Compile implements [wire.Exchanger]; the request is a [Request].
func (x *Exchanger) Compile(r profiles.Request) (attack.Request, error) {
	out, err := Compile(x.target, r)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Start implements [wire.Exchanger]. It sends nothing and has no error.
func (x *Exchanger) Start(c *wire.Conn, _ string) (wire.Session, error) {
	return &session{Conn: c, x: x}, nil
}
