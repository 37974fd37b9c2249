package http

import (
	"net/textproto"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/message"
	"github.com/rampload/rampload/profiles"
)

// TestStreamKeepsTheirIDs: nor over HTTP/2 does a profile's id give way to ours.
func TestStreamKeepsTheirIDs(t *testing.T) {
	theirs := []profiles.Header{
		{Name: message.TransactionHeader, Value: strings.Repeat("x", attack.TransactionIDLen)},
		{Name: message.TraceHeader, Value: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	}
	req, err := compile(wire.Target{Authority: "h"}, profiles.Request{Headers: theirs})
	if err != nil {
		t.Fatal(err)
	}
	fields, err := hpack.NewDecoder(0, nil).DecodeFull((&exchange{id: attack.RunID{1, 2, 3}, r: req, a: new(attack.Attempt)}).AppendHeaders(nil))
	if err != nil {
		t.Fatal(err)
	}
	got := make(textproto.MIMEHeader)
	for _, f := range fields {
		got.Add(f.Name, f.Value)
	}
	for _, h := range theirs {
		if values := got.Values(h.Name); len(values) != 1 || values[0] != h.Value {
			t.Errorf("%s: %q, want %q", h.Name, values, h.Value)
		}
	}
}
