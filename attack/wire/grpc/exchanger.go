package grpc

import (
	"fmt"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/http2"
	"github.com/rampload/rampload/attack/wire/message"
	"github.com/rampload/rampload/attack/wire/mux"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/schema"
)

// pingTimeout is how long the answer to a keep-alive ping may take, as in other clients.
const pingTimeout = 20 * time.Second

// exchanger is gRPC to one target.
type exchanger struct {
	target wire.Target
	schema *schema.Schema // nil: not read
	expect profiles.StatusSet
	kept   message.Answers
}

// New is a [wire.Protocol]. The error is that the profile's client cannot speak gRPC to the
// target.
func New(to wire.Target) (wire.Exchanger, error) { return newExchanger(to) }

func newExchanger(to wire.Target) (*exchanger, error) {
	if to.Proxy != "" {
		return nil, fmt.Errorf("use proxy %s: gRPC does not go through one: set client.proxy: none", to.Proxy)
	}
	x := &exchanger{target: to, expect: to.Profile.Expect}
	if set := to.Profile.GRPC.Schema; len(set) > 0 {
		var err error
		if x.schema, err = schema.Parse(set); err != nil {
			return nil, err
		}
	}
	if len(x.expect) == 0 {
		x.expect = profiles.DefaultGRPCExpect()
	}
	return x, nil
}

// Offer implements [wire.Exchanger].
func (x *exchanger) Offer() wire.Offer {
	if !x.target.TLS {
		return wire.Offer{Sessions: wire.Shared}
	}
	return wire.Offer{Protocols: []string{"h2"}, Agree: true, Sessions: wire.Shared}
}

// Compile implements [wire.Exchanger].
func (x *exchanger) Compile(r profiles.Request) (attack.Request, error) {
	out, err := x.compile(r)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Start implements [wire.Exchanger].
func (x *exchanger) Start(c *wire.Conn, _ string) (wire.Session, error) {
	return &session{
		Session: mux.Start(c, http2.Config{
			MaxStreams: x.target.Client.StreamsPerConn, PingEvery: x.target.Profile.GRPC.KeepAlive, PingTimeout: pingTimeout,
		}),
		expect: x.expect, kept: &x.kept,
	}, nil
}

// session is the calls on one connection.
type session struct {
	*mux.Session
	expect profiles.StatusSet
	kept   *message.Answers
}
