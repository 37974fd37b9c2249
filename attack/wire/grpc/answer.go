package grpc

import (
	"encoding/binary"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/profiles"
)

// Limits of what is taken from a peer.
const (
	maxMessage    = 64 << 20 // announced length of one message; what is not asked for is not kept
	maxKept       = 4 << 20  // bytes of a message that is kept whole
	maxStatusText = attack.MaxAnswerBody
)

// noStatus is the status of a call that has none yet.
const noStatus = -1

// answer is what a call is answered, as it comes. Only the reader of the connection touches
// it until the stream has ended.
type answer struct {
	httpStatus int
	isGRPC     bool // by its content type
	status     int  // grpc-status, or noStatus
	badStatus  bool // it is no number, or there are two
	text       string
	pushback   string // grpc-retry-pushback-ms

	frame    [prefix]byte // of the message that comes
	framed   int          // bytes of it that have come
	left     uint32       // bytes of the message that have not
	messages int
	bad      uint16 // of attack's malformed parts, with isBad
	isBad    bool
	keep     func(message []byte) // takes messages; nil: they are dropped
	kept     []byte
}

func (w *answer) reset() {
	kept := w.kept[:0]
	if cap(kept) > maxKept/16 {
		kept = nil
	}
	*w = answer{status: noStatus, kept: kept}
}

// fields takes a head, or trailers.
func (w *answer) fields(list []hpack.HeaderField) {
	for i := range list {
		switch f := &list[i]; f.Name {
		case "content-type":
			w.isGRPC = strings.HasPrefix(f.Value, "application/grpc") && !strings.HasPrefix(f.Value, "application/grpc-web")
		case "grpc-status":
			n, err := strconv.ParseUint(f.Value, 10, 31)
			w.badStatus = w.badStatus || err != nil || w.status != noStatus && w.status != int(n)
			w.status = int(n)
		case "grpc-message":
			w.text = decodePercent(f.Value)
		case "grpc-retry-pushback-ms":
			w.pushback = f.Value
		}
	}
}

// data takes a piece of the body. It returns false once that is no sequence of messages.
func (w *answer) data(p []byte) bool {
	for len(p) > 0 && !w.isBad {
		if w.framed < prefix {
			n := copy(w.frame[w.framed:], p)
			w.framed += n
			p = p[n:]
			if w.framed == prefix {
				w.begin()
			}
			continue
		}
		n := min(len(p), int(min(w.left, 1<<30)))
		if w.keep != nil && len(w.kept)+n <= maxKept {
			w.kept = append(w.kept, p[:n]...)
		}
		p, w.left = p[n:], w.left-uint32(n)
		if w.left == 0 {
			w.end()
		}
	}
	return !w.isBad
}

// begin reads the prefix of a message.
func (w *answer) begin() {
	w.left = binary.BigEndian.Uint32(w.frame[1:])
	switch flag := w.frame[0]; {
	case flag == 1:
		w.spoil(attack.MalformedEncoding) // no compression was offered
	case flag != 0:
		w.spoil(attack.MalformedMessage)
	case w.left > maxMessage:
		w.spoil(attack.OversizedMessage)
	case w.left == 0:
		w.end()
	}
}

// end ends a message.
func (w *answer) end() {
	w.framed = 0
	w.messages++
	if w.keep != nil {
		w.keep(w.kept)
		w.kept = w.kept[:0]
	}
}

func (w *answer) spoil(part uint16) {
	if !w.isBad {
		w.bad, w.isBad = part, true
	}
}

// verdict returns what is wrong with an answer that is complete; nil: it is one, whatever
// its status. An HTTP status other than 200 without a grpc-status is whoever's who stands
// before the service: code is noStatus then.
func (w *answer) verdict(oneAnswer bool) (code int, err error) {
	switch {
	case w.isBad:
		return 0, wire.Malformed(w.bad)
	case w.badStatus:
		return 0, wire.Malformed(attack.MalformedTrailers)
	case w.status == noStatus && w.httpStatus != 200:
		return noStatus, nil
	case w.status == noStatus && !w.isGRPC:
		return 0, wire.Malformed(attack.WrongProtocol)
	case w.status == noStatus:
		return 0, wire.Malformed(attack.MalformedTrailers)
	case w.framed > 0:
		return 0, wire.Malformed(attack.MalformedMessage)
	case w.status == 0 && oneAnswer && w.messages != 1:
		return 0, wire.Malformed(attack.MalformedMessage)
	}
	return w.status, nil
}

// decodePercent decodes the text of a grpc-message. What is malformed stays as it is.
func decodePercent(s string) string {
	s = s[:min(len(s), 3*maxStatusText)]
	if !strings.Contains(s, "%") {
		return s[:min(len(s), maxStatusText)]
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(v))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b[:min(len(b), maxStatusText)])
}

// answered returns what was said with a status, as evidence.
func (w *answer) answered() *attack.Answer {
	out := &attack.Answer{Declared: -1, Body: w.text}
	if w.status != noStatus {
		out.Headers = append(out.Headers, attack.AnswerHeader{Name: "grpc-status", Value: profiles.GRPCStatusName(w.status)})
	}
	return out
}
