package message_test

import (
	"bytes"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/message"
	"github.com/rampload/rampload/profiles"
)

// The ids of an attempt are written over those of no attempt, in place.
func TestIDs(t *testing.T) {
	run := attack.RunID{1, 2, 3}
	for _, tt := range []struct {
		traces profiles.Traces
		want   []string
	}{
		{profiles.Traces{}, []string{"0102030000000000-0000000000000009", "00-01020300000000000000000000000009-0000000000000a01-00"}},
		{profiles.Traces{Sample: 1, B3: true}, []string{"0102030000000000-0000000000000009", "00-01020300000000000000000000000009-0000000000000a01-01", "01020300000000000000000000000009-0000000000000a01-1"}},
	} {
		to := wire.Target{RunID: run, Tracing: attack.TracingOf(tt.traces)}
		own := message.OwnIDs(to)
		if len(own) != len(tt.want) {
			t.Fatalf("%+v: %v", tt.traces, own)
		}
		var ids message.IDs
		head := []byte("GET / HTTP/1.1\r\n")
		for _, h := range own {
			if !message.IsID(h.Name) {
				t.Errorf("%s is no id", h.Name)
			}
			head = append(append(head, h.Name...), ": "...)
			ids.Note(h.Name, len(head))
			head = append(append(head, h.Value...), "\r\n"...)
		}
		ids.Note("Host", 3)
		before := len(head)
		ids.Patch(head, run, to.Tracing, &attack.Attempt{Request: 9, Try: 1})
		if len(head) != before || !bytes.HasPrefix(head, []byte("GET / HTTP/1.1\r\n")) {
			t.Errorf("got %q", head)
		}
		for i, want := range tt.want {
			if !bytes.Contains(head, []byte(own[i].Name+": "+want+"\r\n")) {
				t.Errorf("%s is not %s in %q", own[i].Name, want, head)
			}
		}
	}
}
