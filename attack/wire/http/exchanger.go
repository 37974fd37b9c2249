// Package http speaks HTTP to a target: HTTP/1.1 or HTTP/2, as the profile says and
// as was agreed on for each connection.
package http

import (
	"fmt"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/http1"
	"github.com/rampload/rampload/attack/wire/http2"
	"github.com/rampload/rampload/attack/wire/message"
	"github.com/rampload/rampload/attack/wire/mux"
	"github.com/rampload/rampload/profiles"
)

// exchanger is HTTP to one target.
type exchanger struct {
	target wire.Target
	one    *http1.Exchanger
	kept   message.Answers // of HTTP/2
}

// New is a [wire.Protocol]. The error is that the profile's protocol does not fit
// the target.
func New(to wire.Target) (wire.Exchanger, error) {
	switch p := to.Client.Protocol; {
	case p == profiles.ProtocolHTTP2 && !to.TLS:
		return nil, fmt.Errorf("choose protocol: http2 needs an https target; without TLS it is protocol: h2c")
	case p == profiles.ProtocolH2C && to.TLS:
		return nil, fmt.Errorf("choose protocol: h2c is for targets without TLS; over https it is protocol: http2")
	case p == profiles.ProtocolH2C && to.Proxy != "":
		return nil, fmt.Errorf("use proxy %s: h2c cannot go through a proxy: choose another protocol, or set client.proxy: none", to.Proxy)
	}
	return &exchanger{target: to, one: http1.NewExchanger(to)}, nil
}

// Offer implements [wire.Exchanger].
func (x *exchanger) Offer() wire.Offer {
	switch x.target.Client.Protocol {
	case profiles.ProtocolHTTP1:
		return x.one.Offer()
	case profiles.ProtocolHTTP2:
		return wire.Offer{Protocols: []string{"h2"}, Agree: true, Sessions: wire.Shared}
	case profiles.ProtocolH2C:
		return wire.Offer{Sessions: wire.Shared}
	}
	out := wire.Offer{Protocols: []string{"h2", "http/1.1"}}
	if !x.target.TLS {
		out.Sessions = wire.Serial
	}
	return out
}

// Compile implements [wire.Exchanger].
func (x *exchanger) Compile(r profiles.Request) (attack.Request, error) {
	out, err := compile(x.target, r)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Start implements [wire.Exchanger].
func (x *exchanger) Start(c *wire.Conn, agreed string) (wire.Session, error) {
	if agreed == "h2" || !c.Secure() && x.target.Client.Protocol == profiles.ProtocolH2C {
		most := x.target.Client.StreamsPerConn
		return &session2{mux.Start(c, http2.Config{MaxStreams: most}), x.target.Profile.Expect, &x.kept}, nil
	}
	return x.one.Start(c, agreed)
}
