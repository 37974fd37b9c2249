package http

import (
	"strings"

	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/http1"
	"github.com/rampload/rampload/attack/wire/message"
	"github.com/rampload/rampload/attack/wire/mux"
	"github.com/rampload/rampload/profiles"
)

// Request is one request of a target, encoded once for both versions. It is safe for
// concurrent use.
type Request struct {
	*http1.Request
	streamed *message.Message // as it goes over HTTP/2
	head     mux.Head         // its headers
}

func compile(to wire.Target, r profiles.Request) (*Request, error) {
	one, err := http1.Compile(to, r)
	if err != nil {
		return nil, err
	}
	// The pool knows whether a connection is for one attempt alone.
	out := &Request{Request: one, streamed: one.Kept().Message}
	out.encode(to)
	return out, nil
}

// encode encodes the head for HTTP/2, where the fields of the connection have
// no place (RFC 9113 §8.2.2).
func (r *Request) encode(to wire.Target) {
	m := r.streamed
	scheme := "http"
	if to.TLS {
		scheme = "https"
	}
	host := to.Authority
	if i := m.Fields.Find("host"); i >= 0 {
		host = m.Fields[i].Value
	}
	b := &r.head
	add := func(name, value string) {
		if hole := m.Hole(value); hole != nil {
			b.Fill(strings.ToLower(name), hole)
			return
		}
		b.Add(name, value)
	}
	b.Add(":method", m.Method)
	b.Add(":scheme", scheme)
	add(":authority", host)
	add(":path", m.URI)
	for i, h := range m.Fields {
		switch name := strings.ToLower(h.Name); {
		case i < m.Own && message.IsID(h.Name):
			b.ID(h.Name, h.Value)
		case ofConnection[name], name == "te" && h.Value != "trailers", h.Value == "" && name == "authorization":
		default:
			add(h.Name, h.Value)
		}
	}
}

// ofConnection are the fields that HTTP/2 has no place for.
var ofConnection = map[string]bool{
	"host": true, "connection": true, "transfer-encoding": true, "keep-alive": true,
	"proxy-connection": true, "upgrade": true, "proxy-authorization": true,
}
