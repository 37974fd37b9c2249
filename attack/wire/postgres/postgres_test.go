package postgres

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fault"
	"github.com/rampload/rampload/attack/wire/wiretest"
	"github.com/rampload/rampload/profiles"
)

// frame is a message of the server.
func frame(kind byte, body string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{kind}, uint32(4+len(body)))
	return append(b, body...)
}

func problem(code, text string) []byte {
	return frame('E', "SFATAL\x00VFATAL\x00C"+code+"\x00M"+text+"\x00\x00")
}

// dialogue is a PostgreSQL that asks for a password in the clear.
type dialogue struct{}

func (dialogue) Greet(in *bufio.Reader, out io.Writer) error {
	var size [4]byte
	if _, err := io.ReadFull(in, size[:]); err != nil {
		return err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:])-4)
	if _, err := io.ReadFull(in, body); err != nil {
		return err
	}
	if !bytes.HasPrefix(body, []byte{0, 3, 0, 0}) || !bytes.Contains(body, []byte("user\x00app\x00database\x00orders\x00")) {
		return errors.New("no start-up")
	}
	if _, err := out.Write(frame('R', "\x00\x00\x00\x03")); err != nil {
		return err
	}
	if err := request(in, 'p', "secret\x00"); err != nil {
		return err
	}
	_, err := out.Write(append(append(frame('R', "\x00\x00\x00\x00"), frame('S', "server_version\x0017\x00")...), frame('Z', "I")...))
	return err
}

func request(in *bufio.Reader, kind byte, want string) error {
	head := make([]byte, 5)
	if _, err := io.ReadFull(in, head); err != nil {
		return err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
	if _, err := io.ReadFull(in, body); err != nil {
		return err
	}
	if head[0] != kind || string(body) != want {
		return errors.New("another message")
	}
	return nil
}

func (dialogue) Request(in *bufio.Reader) error { return request(in, 'Q', "SELECT 1\x00") }

func (dialogue) Answer() []byte {
	return bytes.Join([][]byte{
		frame('T', "\x00\x01a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x17\x00\x04\xff\xff\xff\xff\x00\x00"),
		frame('D', "\x00\x01\x00\x00\x00\x011"), frame('C', "SELECT 1\x00"), frame('Z', "I"),
	}, nil)
}

func TestContract(t *testing.T) {
	wiretest.Run(t, wiretest.Subject{
		Protocol: New, First: true, Places: append(wiretest.Places(), fault.InGreeting),
		Target: func(addr string, _ bool) profiles.Target {
			return profiles.Target{URL: "postgres://app:secret@" + addr + "/orders", Requests: []profiles.Request{{Command: "SELECT 1", Weight: 1}}}
		},
		Inject: func(o *fault.InjectorOptions) { o.Dialogue = func() fault.Dialogue { return dialogue{} } },
		Bodies: func(proper []byte) map[string]wiretest.Body {
			long := append(binary.BigEndian.AppendUint32([]byte{'D'}, 1<<20), make([]byte, 1<<16)...)
			return map[string]wiretest.Body{
				"full":          {Bytes: problem("53300", "sorry, too many clients already"), Fault: attack.Status, Detail: "server too-many-clients"},
				"shut down":     {Bytes: problem("57P01", "terminating connection due to administrator command"), Fault: attack.Status, Detail: "server shutting-down"},
				"an error":      {Bytes: append(problem("42P01", "relation does not exist"), frame('Z', "I")...), Fault: attack.Status, Detail: "server error"},
				"short length":  {Bytes: []byte{'Z', 0, 0, 0, 3, 'I'}, Fault: attack.Protocol, Detail: "malformed length"},
				"below zero":    {Bytes: []byte{'D', 0xff, 0xff, 0xff, 0xff}, Fault: attack.Protocol, Detail: "malformed length"},
				"no message":    {Bytes: []byte{'!', 0, 0, 0, 4}, Fault: attack.Protocol},
				"long error":    {Bytes: append([]byte{'E', 0, 1, 0, 0}, make([]byte, 5000)...), Fault: attack.Protocol, Detail: "malformed oversized-header"},
				"copy":          {Bytes: frame('G', "\x00\x00\x00"), Fault: attack.Protocol, Detail: "malformed frame"},
				"rows for ever": {Bytes: bytes.Repeat(frame('D', "\x00\x00"), 500), Endless: true, Fault: attack.Timeout},
				"a cut row":     {Bytes: long, Fault: attack.EOF},
			}
		},
	})
}

// FuzzMessage: however messages are cut into pieces, they are read alike, and errors are
// bounded.
func FuzzMessage(f *testing.F) {
	f.Add(dialogue{}.Answer(), uint8(7))
	f.Add(problem("53300", "sorry, too many clients already"), uint8(4))
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		var whole, part message1
		rest, ok := whole.parse(b)
		_, early := part.parse(b[:min(int(cut), len(b))])
		if early && (!ok || whole.kind != part.kind || !bytes.Equal(whole.body, part.body)) {
			t.Fatalf("%q: %+v, and of its first %d bytes %+v", b, whole, cut, part)
		}
		if ok && headSize+len(whole.body)+len(rest) != len(b) {
			t.Fatalf("%q: %d bytes and %d left", b, len(whole.body), len(rest))
		}
		e := parseError(b)
		if len(e.String()) > attack.MaxAnswerBody || e.detail().Kind != attack.ServerDetail {
			t.Fatalf("%q is told as %q, %v", b, e, e.detail())
		}
		_ = row(b)
	})
}

// A server that asks for endless hashing gets none.
func TestRounds(t *testing.T) {
	for text, want := range map[string]bool{"r=a,s=b,i=4096": true, "r=a,s=b,i=2147483647": false, "r=a,s=b,i=99999999999999999999": false, "r=a,s=b": true} {
		if got := rounds([]byte(text)) <= mostRounds; got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
