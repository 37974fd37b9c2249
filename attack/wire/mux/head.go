package mux

import (
	"fmt"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fill"
	"github.com/rampload/rampload/attack/wire/http2"
	"github.com/rampload/rampload/attack/wire/message"
)

// Head is the fields of a request, encoded once, with the places of the attempt's ids and of
// values that are filled in. It is made with Add, ID and Fill, and then immutable.
type Head struct {
	parts []section
	now   http2.Block
	ids   message.IDs // in now
}

// section is encoded fields, and behind them one to be filled in.
type section struct {
	b    []byte
	ids  message.IDs // in b
	name string
	hole *fill.Template
}

// Add appends a field.
func (h *Head) Add(name, value string) { h.now.Add(name, value) }

// ID appends a field of [message.OwnIDs].
func (h *Head) ID(name, value string) { h.ids.Note(name, h.now.AddFixed(name, value)) }

// Fill appends a field whose value each attempt fills in. The name is in lower case.
func (h *Head) Fill(name string, value *fill.Template) {
	h.parts = append(h.parts, section{h.now.Bytes(), h.ids, name, value})
	h.now, h.ids = http2.Block{}, message.IDs{}
}

// Tell gives a reply, if there is one, the request whose encoded fields these are.
func Tell(reply *attack.Reply, block []byte) {
	if reply == nil {
		return
	}
	fields, err := hpack.NewDecoder(0, nil).DecodeFull(block)
	if err != nil { // never: they refer to nothing that was sent before
		return
	}
	line := map[string]string{}
	var b []byte
	for _, f := range fields {
		if f.IsPseudo() {
			line[f.Name] = f.Value
			continue
		}
		b = append(append(append(append(b, f.Name...), ": "...), f.Value...), "\r\n"...)
	}
	reply.Ask(fmt.Appendf(nil, "%s %s HTTP/2\r\nhost: %s\r\n%s\r\n", line[":method"], line[":path"], line[":authority"], b))
}

// Append appends the encoded fields of an attempt. scratch is memory for values, and is
// returned for the next attempt.
func (h *Head) Append(b, scratch []byte, run attack.RunID, t attack.Tracing, a *attack.Attempt) (out, memory []byte) {
	for i := range h.parts {
		s := &h.parts[i]
		at := len(b)
		b = append(b, s.b...)
		s.ids.Patch(b[at:], run, t, a)
		scratch = s.hole.Append(scratch[:0], run, a, time.Now())
		b = http2.AppendField(b, s.name, scratch)
	}
	at := len(b)
	b = append(b, h.now.Bytes()...)
	h.ids.Patch(b[at:], run, t, a)
	return b, scratch
}
