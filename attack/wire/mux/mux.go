// Package mux is HTTP/2 on the connection layer: what the protocols that are spoken over
// it share. It ends attempts in the connection layer's words, and knows no requests.
package mux

import (
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/http2"
)

// Session is the HTTP/2 of one connection: all of a [wire.Multiplexed] but Do.
type Session struct {
	*http2.Conn
	Wire *wire.Conn
	used atomic.Bool // an attempt was made on it
}

// Start begins to speak HTTP/2. Clock and OnChange of the configuration are set here.
func Start(c *wire.Conn, cfg http2.Config) *Session {
	s := &Session{Wire: c}
	ready := make(chan struct{}) // the connection tells of changes at once
	cfg.Clock = c.Now
	cfg.OnChange = func(h *http2.Conn) {
		<-ready
		select {
		case <-h.Done():
			c.Ended(failed(h.Err()))
		default:
			c.RoomChanged()
		}
	}
	s.Conn = http2.NewConn(c, cfg)
	close(ready)
	return s
}

// Close implements [wire.Session].
func (s *Session) Close() {}

// First reports whether an attempt is the first on the connection. Each asks once, before
// it begins.
func (s *Session) First() bool { return !s.used.Load() && !s.used.Swap(true) }

// Fail ends an attempt by the error of its stream; first is what First said.
func (s *Session) Fail(a *attack.Attempt, first bool, phase attack.Phase, err error) wire.Outcome {
	if errors.Is(err, http2.ErrNotSent) {
		why := s.refusal()
		if !first || why == nil {
			return wire.NotSent // another connection may have room
		}
		err = why // this one was opened for the attempt
	}
	if away := s.GoneAway(); away != nil && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		err = away // the peer said why it closes
	}
	return s.Wire.FailStream(a, phase, failed(err))
}

// refusal returns why the connection takes no streams, nil if that may pass.
func (s *Session) refusal() error {
	if away := s.GoneAway(); away != nil {
		return away
	}
	select {
	case <-s.Done():
		if err := s.Err(); err != nil {
			return err
		}
		return http2.ErrCanceled
	default:
		return nil
	}
}

// failed says in the connection layer's words how a stream or its connection ended.
// What the socket said stays as it is.
func failed(err error) error {
	var (
		stream *http2.ResetError
		goAway *http2.GoAwayError
		broken *http2.MalformedError
	)
	switch {
	case errors.Is(err, http2.ErrTimeout):
		return os.ErrDeadlineExceeded
	case errors.Is(err, http2.ErrPing):
		return wire.Failed{Fault: attack.Timeout}
	case errors.Is(err, http2.ErrCanceled), errors.Is(err, context.Canceled):
		return wire.Failed{Fault: attack.Canceled}
	case errors.As(err, &stream):
		return wire.Failed{Fault: attack.HTTP2Reset, Detail: attack.HTTP2Code(uint32(stream.Code))}
	case errors.As(err, &goAway):
		return wire.Failed{Fault: attack.HTTP2GoAway, Detail: attack.GoAway(uint32(goAway.Code), goAway.Reason)}
	case errors.As(err, &broken):
		return wire.Malformed(malformed[broken.What])
	}
	return err
}

// malformed are the details of what can be malformed in HTTP/2.
var malformed = [http2.MalformedKinds]uint16{
	http2.NotHTTP2:       attack.WrongProtocol,
	http2.FrameSize:      attack.MalformedFrameSize,
	http2.DataFrame:      attack.MalformedData,
	http2.HeadersFrame:   attack.MalformedHeaders,
	http2.PriorityFrame:  attack.MalformedFrame,
	http2.ResetFrame:     attack.MalformedReset,
	http2.SettingsFrame:  attack.MalformedSettings,
	http2.PushFrame:      attack.MalformedPush,
	http2.PingFrame:      attack.MalformedPing,
	http2.GoAwayFrame:    attack.MalformedGoAway,
	http2.WindowFrame:    attack.MalformedWindow,
	http2.HeaderOrder:    attack.MalformedContinuation,
	http2.HeaderBlock:    attack.MalformedCompression,
	http2.HeaderSize:     attack.OversizedHeader,
	http2.HeaderField:    attack.MalformedHeader,
	http2.PseudoHeader:   attack.MalformedPseudoHeader,
	http2.StatusField:    attack.MalformedPseudoHeader,
	http2.ContentLength:  attack.MalformedLength,
	http2.UnexpectedBody: attack.UnexpectedAnswer,
	http2.IdleStream:     attack.MalformedIdleStream,
	http2.FlowControl:    attack.MalformedFlow,
	http2.Flood:          attack.Flooded,
}
