package redis

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fault"
	"github.com/rampload/rampload/attack/wire/wiretest"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/command"
)

// dialogue is a Redis that answers GET.
type dialogue struct{ logIn bool }

func (d dialogue) Greet(in *bufio.Reader, out io.Writer) error {
	if !d.logIn {
		return nil
	}
	for range 2 { // AUTH and SELECT
		if err := d.Request(in); err != nil {
			return err
		}
		if _, err := io.WriteString(out, "+OK\r\n"); err != nil {
			return err
		}
	}
	return nil
}

func (dialogue) Request(in *bufio.Reader) error {
	line, err := in.ReadString('\n')
	if err != nil {
		return err
	}
	words, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "*")))
	if err != nil || words < 1 {
		return errors.New("no command")
	}
	for range 2 * words {
		if _, err := in.ReadString('\n'); err != nil {
			return err
		}
	}
	return nil
}

func (dialogue) Answer() []byte { return []byte("*2\r\n$12\r\nhello, world\r\n:42\r\n") }

func TestContract(t *testing.T) {
	for name, user := range map[string]string{"plain": "", "login": "app:secret@"} {
		t.Run(name, func(t *testing.T) {
			places := wiretest.Places()
			db := ""
			if user != "" {
				places, db = append(places, fault.InGreeting), "/3"
			}
			wiretest.Run(t, wiretest.Subject{
				Protocol: New, Secure: user == "", First: true, Places: places,
				Target: func(addr string, secure bool) profiles.Target {
					scheme := map[bool]string{false: "redis://", true: "rediss://"}[secure]
					return profiles.Target{URL: scheme + user + addr + db, Requests: []profiles.Request{{Command: "MGET a b", Weight: 1}}}
				},
				Inject: func(o *fault.InjectorOptions) {
					o.Dialogue = func() fault.Dialogue { return dialogue{logIn: user != ""} }
				},
				Bodies: func(proper []byte) map[string]wiretest.Body {
					return map[string]wiretest.Body{
						"full":         {Bytes: []byte("-ERR max number of clients reached\r\n"), Fault: attack.Status, Detail: "server too-many-clients"},
						"no password":  {Bytes: []byte("-NOAUTH Authentication required.\r\n"), Fault: attack.Status, Detail: "server authentication"},
						"loading":      {Bytes: []byte("-LOADING Redis is loading the dataset in memory\r\n"), Fault: attack.Status, Detail: "server starting-up"},
						"unknown":      {Bytes: []byte("-ERR unknown command 'MGETT'\r\n"), Fault: attack.Status, Detail: "server error"},
						"long length":  {Bytes: []byte("$99999999999999999999\r\n"), Fault: attack.Protocol, Detail: "malformed length"},
						"huge bulk":    {Bytes: []byte("$600000000\r\n"), Fault: attack.Protocol, Detail: "malformed length"},
						"below none":   {Bytes: []byte("*-2\r\n"), Fault: attack.Protocol, Detail: "malformed length"},
						"no end":       {Bytes: []byte("$1\r\nabc"), Fault: attack.Protocol, Detail: "malformed response"},
						"nested":       {Bytes: bytes.Repeat([]byte("*1\r\n"), 1000), Endless: true},
						"growing":      {Bytes: bytes.Repeat([]byte("*1000000\r\n"), 1000), Endless: true},
						"bulk forever": {Bytes: append([]byte("$500000000\r\n"), make([]byte, 1000)...), Open: true, Fault: attack.Timeout},
					}
				},
			})
		})
	}
}

// FuzzReply: however a reply is cut into pieces, it is read alike.
func FuzzReply(f *testing.F) {
	for _, s := range []string{
		"+OK\r\n", "-ERR max number of clients reached\r\n", "$5\r\nhello\r\n", "$-1\r\n", "*2\r\n$1\r\na\r\n:1\r\n",
		"*-1\r\n", "%1\r\n+a\r\n+b\r\n", "$0\r\n\r\n", "*0\r\n",
	} {
		f.Add([]byte(s), uint8(2))
	}
	read := func(b []byte, piece int) (reply, int, error) {
		var p reply
		p.reset(false)
		used := 0
		for end := min(piece, len(b)); ; end = min(end+piece, len(b)) {
			n, err := p.feed(b[used:end])
			used += n
			if err != nil || p.done() || end == len(b) {
				return p, used, err
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		whole, n, err := read(b, len(b)+1)
		parts, m, err2 := read(b, int(piece)%16+1)
		if (err == nil) != (err2 == nil) || whole.done() != parts.done() || err == nil && n != m || whole.failed != parts.failed {
			t.Fatalf("%q: %d %v %v, in pieces %d %v %v", b, n, whole.done(), err, m, parts.done(), err2)
		}
		if n > len(b) || whole.left < 0 || whole.bulk < 0 {
			t.Fatalf("%q: %+v", b, whole)
		}
	})
}

func TestEncode(t *testing.T) {
	words, err := command.Words(`SET "a key" 'it''s' "\r\n" ${users.id}x ""`)
	if err != nil {
		t.Fatal(err)
	}
	want := "*6\r\n$3\r\nSET\r\n$5\r\na key\r\n$3\r\nits\r\n$2\r\n\r\n\r\n$12\r\n${users.id}x\r\n$0\r\n\r\n"
	if got := string(encode(words)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
