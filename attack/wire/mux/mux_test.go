package mux

import (
	"errors"
	"fmt"
	"testing"

	xhttp2 "golang.org/x/net/http2"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/classify"
	"github.com/rampload/rampload/attack/wire/http2"
)

// TestFailed: what the peer said in HTTP/2 keeps its fault and detail however it is
// wrapped.
func TestFailed(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		fault  attack.Fault
		detail attack.Detail
	}{
		"RST_STREAM": {&http2.ResetError{Code: xhttp2.ErrCodeRefusedStream}, attack.HTTP2Reset, attack.HTTP2Code(7)},
		"GOAWAY":     {&http2.GoAwayError{Code: xhttp2.ErrCodeInternal}, attack.HTTP2GoAway, attack.HTTP2Code(2)},
		"flood":      {&http2.MalformedError{What: http2.Flood}, attack.Protocol, attack.Detail{Kind: attack.MalformedDetail, Code: attack.Flooded}},
		"ping":       {http2.ErrPing, attack.Timeout, attack.Detail{}},
		"time limit": {http2.ErrTimeout, attack.Timeout, attack.Detail{}},
		"canceled":   {http2.ErrCanceled, attack.Canceled, attack.Detail{}},
	} {
		for how, wrapped := range map[string]error{"bare": tc.err, "wrapped": fmt.Errorf("read frame: %w", tc.err), "joined": errors.Join(errors.New("other"), tc.err)} {
			err := failed(wrapped)
			if got := classify.Fault(err); got != tc.fault {
				t.Errorf("%s, %s: %v, want %v", name, how, got, tc.fault)
			}
			if got := classify.Detail(err); got != tc.detail {
				t.Errorf("%s, %s: %v, want %v", name, how, got, tc.detail)
			}
		}
	}
}
