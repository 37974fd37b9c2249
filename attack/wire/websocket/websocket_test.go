package websocket

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fault"
	"github.com/rampload/rampload/attack/wire/wiretest"
	"github.com/rampload/rampload/profiles"
)

// dialogue is a server that answers each message.
type dialogue struct{}

func (dialogue) Greet(in *bufio.Reader, out io.Writer) error {
	r, err := http.ReadRequest(in)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		acceptOf(r.Header.Get("Sec-Websocket-Key")))
	return err
}

func (dialogue) Request(in *bufio.Reader) error {
	head := make([]byte, 6)
	if _, err := io.ReadFull(in, head); err != nil {
		return err
	}
	text := make([]byte, head[1]&0x7f)
	if _, err := io.ReadFull(in, text); err != nil {
		return err
	}
	mask(text, binary.BigEndian.Uint32(head[2:]))
	if head[0] != 0x81 || string(text) != "hello" {
		return errors.New("not the message")
	}
	return nil
}

func (dialogue) Answer() []byte { return frame(opText, "hello, world") }

// frame is a frame of a server.
func frame(op byte, text string) []byte {
	return append([]byte{0x80 | op, byte(len(text))}, text...)
}

func TestContract(t *testing.T) {
	cut := func(b []byte) []byte { return append([]byte{0x01, 5}, b...) }
	wiretest.Run(t, wiretest.Subject{
		Protocol: New, Secure: true, Shared: true, First: true,
		Places: append(wiretest.Places(), fault.InGreeting),
		Target: func(addr string, secure bool) profiles.Target {
			scheme := map[bool]string{false: "ws://", true: "wss://"}[secure]
			return profiles.Target{URL: scheme + addr + "/chat?room=1", Requests: []profiles.Request{{Command: "hello", Weight: 1}}}
		},
		Inject: func(o *fault.InjectorOptions) { o.Dialogue = func() fault.Dialogue { return dialogue{} } },
		Bodies: func(proper []byte) map[string]wiretest.Body {
			bad := func(b []byte, detail string) wiretest.Body {
				return wiretest.Body{Bytes: b, Open: true, Fault: attack.Protocol, Detail: "malformed " + detail}
			}
			return map[string]wiretest.Body{
				"reserved bit":     bad([]byte{0xc1, 1, 'a'}, "frame"),
				"reserved opcode":  bad([]byte{0x83, 1, 'a'}, "frame"),
				"masked":           bad([]byte{0x81, 0x81, 0, 0, 0, 0, 'a'}, "frame"),
				"long ping":        bad([]byte{0x89, 126, 0, 126}, "frame-size"),
				"cut ping":         bad([]byte{0x09, 0}, "frame"),
				"continued":        bad([]byte{0x80, 1, 'a'}, "frame"),
				"not continued":    bad(append(cut([]byte("hello")), proper...), "frame"),
				"long form":        bad([]byte{0x81, 126, 0, 5}, "frame-size"),
				"negative length":  bad([]byte{0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0}, "frame-size"),
				"huge length":      bad([]byte{0x82, 127, 0x0f, 0, 0, 0, 0, 0, 0, 0}, "oversized-message"),
				"odd close":        bad([]byte{0x88, 1, 3}, "frame"),
				"reserved close":   bad(frame(opClose, "\x03\xee"), "frame"),
				"endless pieces":   {Bytes: []byte{0x00, 0}, Endless: true, Fault: attack.Protocol, Detail: "malformed frame"},
				"going away":       {Bytes: frame(opClose, "\x03\xe9bye"), Fault: attack.EOF, Detail: "websocket 1001"},
				"try later, open":  {Bytes: frame(opClose, "\x03\xf5"), Open: true, Fault: attack.EOF, Detail: "websocket 1013"},
				"no code":          {Bytes: frame(opClose, ""), Fault: attack.EOF, Detail: "websocket 1005"},
				"application":      {Bytes: frame(opClose, "\x10\x01"), Fault: attack.EOF, Detail: "websocket 4000"},
				"pings for ever":   {Bytes: frame(opPing, "a"), Endless: true, Fault: attack.Protocol, Detail: "malformed flood"},
				"two answers":      bad(append(frame(opText, "a"), frame(opText, "b")...), "unexpected-answer"),
				"fragments, ever":  {Bytes: append([]byte{0x01, 0}, make([]byte, 1<<18)...), Open: true, Fault: attack.Protocol, Detail: "malformed flood"},
				"never a last one": {Bytes: append([]byte{0x02, 127, 0, 0, 0, 0, 1, 0, 0, 0}, make([]byte, 1000)...), Open: true, Fault: attack.Timeout},
			}
		},
	})
}

// events are what a decoder tells.
type events struct{ all []string }

func (e *events) message(data []byte, size int64) {
	e.all = append(e.all, fmt.Sprintf("message %q %d", data, size))
}

func (e *events) control(op byte, payload []byte) error {
	e.all = append(e.all, fmt.Sprintf("control %d %q", op, payload))
	return nil
}

// FuzzDecoder: however frames are cut into pieces, they are read alike.
func FuzzDecoder(f *testing.F) {
	for _, b := range [][]byte{
		frame(opText, "hello"), frame(opPing, ""),
		{0x01, 1, 'a', 0x89, 1, 'p', 0x80, 1, 'b'},
		{0x82, 126, 1, 0},
		{0x81, 0},
		append([]byte{0x82, 126, 0, 130}, make([]byte, 140)...),
		{0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0},
		frame(opClose, "\x03\xe8"),
	} {
		f.Add(b, uint8(1))
	}
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		read := func(n int) (string, bool) {
			var d decoder
			var e events
			for rest := b; len(rest) > 0; {
				k := min(n, len(rest))
				if err := d.feed(rest[:k], &e); err != nil {
					return fmt.Sprint(e.all, err), false
				}
				rest = rest[k:]
			}
			if len(d.data) > mostKept || d.left < 0 || d.ctlN > mostControl {
				t.Fatalf("%+v", d)
			}
			return fmt.Sprint(e.all, d.have, d.left, d.size), true
		}
		whole, ok := read(len(b) + 1)
		if parts, ok2 := read(int(piece)%16 + 1); whole != parts || ok != ok2 {
			t.Fatalf("%q: %s, in pieces %s", b, whole, parts)
		}
	})
}
