package http2

import (
	"errors"
	"fmt"

	"golang.org/x/net/http2"
)

// Code is an error code of HTTP/2 (RFC 9113 §7). Its String is the name in the
// RFC, such as REFUSED_STREAM.
type Code = http2.ErrCode

// ResetError is how a stream ends that the peer reset: RST_STREAM.
type ResetError struct{ Code Code }

func (e *ResetError) Error() string { return "stream reset by the peer: " + e.Code.String() }

// GoAwayError is how a stream ends that a GOAWAY left out: its id is above the
// last that the peer will process.
type GoAwayError struct {
	Code   Code
	Last   uint32 // the last stream that the peer processes
	Reason string // the peer's words on it, such as max_age; "": none, or too many
}

func (e *GoAwayError) Error() string {
	return fmt.Sprintf("connection shut down by the peer after stream %d: %s", e.Last, e.Code)
}

// MalformedError is how streams end when the peer breaks the protocol.
type MalformedError struct {
	What Malformed
	Code Code // that the peer is told
}

func (e *MalformedError) Error() string { return "malformed HTTP/2: " + e.What.String() }

// Ends that are no words of the peer. The error of a stream whose connection
// ended is that of the connection: io.EOF, or an error number of the socket.
var (
	// ErrNotSent is the end of a stream of which nothing has been sent: its
	// connection takes no more. Another may carry it.
	ErrNotSent = errors.New("send request: the connection takes no more streams")
	// ErrTimeout is the end of a stream at its deadline.
	ErrTimeout = errors.New("await response: the time limit passed")
	// ErrCanceled is the end of a stream by Cancel or Abort.
	ErrCanceled = errors.New("await response: canceled")
	// ErrPing is the end of a connection whose peer did not answer a ping.
	ErrPing = errors.New("await answer to a ping: the time limit passed")
)

// Malformed names what of the peer's bytes broke the protocol.
type Malformed uint8

// What can be malformed.
const (
	NotHTTP2       Malformed = iota + 1 // the first bytes are not a SETTINGS frame
	FrameSize                           // longer than allowed, or of a wrong length
	DataFrame                           // DATA: padding, stream 0, before the headers
	HeadersFrame                        // HEADERS: padding, stream 0, a second head
	PriorityFrame                       // PRIORITY
	ResetFrame                          // RST_STREAM: stream 0
	SettingsFrame                       // SETTINGS: a value out of range, on a stream
	PushFrame                           // PUSH_PROMISE, which was not allowed
	PingFrame                           // PING: on a stream
	GoAwayFrame                         // GOAWAY: on a stream
	WindowFrame                         // WINDOW_UPDATE: by zero, or beyond 2^31-1
	HeaderOrder                         // CONTINUATION missing, or where none is due
	HeaderBlock                         // the header compression does not decode
	HeaderSize                          // headers larger than the limit
	HeaderField                         // a field name or value that is not allowed
	PseudoHeader                        // a pseudo-header that is unknown, late or missing
	StatusField                         // :status is no status, or 101
	ContentLength                       // the body is longer or shorter than it says
	UnexpectedBody                      // a body where none may be: HEAD, 204, 304
	IdleStream                          // a frame for a stream that was never opened
	FlowControl                         // more data than the window allowed
	Flood                               // too many frames that carry nothing
	malformedEnd
)

// MalformedKinds is one more than the largest Malformed.
const MalformedKinds = int(malformedEnd)

var malformedNames = [MalformedKinds]string{
	NotHTTP2: "not-http2", FrameSize: "frame-size", DataFrame: "data-frame", HeadersFrame: "headers-frame",
	PriorityFrame: "priority-frame", ResetFrame: "rst-stream-frame", SettingsFrame: "settings-frame",
	PushFrame: "push-promise-frame", PingFrame: "ping-frame", GoAwayFrame: "goaway-frame",
	WindowFrame: "window-update-frame", HeaderOrder: "continuation", HeaderBlock: "header-compression",
	HeaderSize: "header-size", HeaderField: "header-field", PseudoHeader: "pseudo-header", StatusField: "status",
	ContentLength: "content-length", UnexpectedBody: "unexpected-body", IdleStream: "idle-stream",
	FlowControl: "flow-control", Flood: "flood",
}

// String returns a short name, the same in every release.
func (m Malformed) String() string {
	if m > 0 && int(m) < MalformedKinds {
		return malformedNames[m]
	}
	return "invalid"
}

func malformed(what Malformed, code Code) *MalformedError { return &MalformedError{what, code} }
