package http

import (
	"context"
	"errors"
	"os"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/http2"
)

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
		return wire.Failed{Fault: attack.HTTP2GoAway, Detail: attack.HTTP2Code(uint32(goAway.Code))}
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
