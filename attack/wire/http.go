package wire

import (
	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// httpExchanger speaks HTTP/1.1 and HTTP/2, as was agreed on for each connection.
type httpExchanger struct {
	protocol profiles.Protocol
	t        *Transport
}

func newHTTP(t *Transport) (Exchanger, error) {
	return &httpExchanger{protocol: t.cfg.Client.Protocol, t: t}, nil
}

// Protocols implements [Exchanger].
func (x *httpExchanger) Protocols() []string {
	switch x.protocol {
	case profiles.ProtocolHTTP1:
		return []string{"http/1.1"}
	case profiles.ProtocolHTTP2:
		return []string{"h2"}
	}
	return []string{"h2", "http/1.1"}
}

// Compile implements [Exchanger].
func (x *httpExchanger) Compile(r profiles.Request) (attack.Request, error) { return x.t.compile(r) }

// Start implements [Exchanger].
func (x *httpExchanger) Start(c *Conn, agreed string) (Session, error) {
	expect := x.t.cfg.Profile.Expect
	switch {
	case agreed == "h2", !c.Secure() && x.protocol == profiles.ProtocolH2C:
		return startHTTP2(c, expect, x.t.cfg.Client.StreamsPerConn), nil
	case x.protocol == profiles.ProtocolHTTP2:
		return nil, ErrAgreed
	}
	return &http1{Conn: c, expect: expect}, nil
}

// Repeatable reports whether the method may be repeated without harm (RFC 9110
// §9.2.2).
func (r *Request) Repeatable() bool {
	switch r.method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}
