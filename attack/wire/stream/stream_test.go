package stream_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fault"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/stream"
	"github.com/rampload/rampload/attack/wire/wiretest"
	"github.com/rampload/rampload/attack/wire/wiretest/record"
	"github.com/rampload/rampload/profiles"
)

func send(text string) profiles.Turn {
	return profiles.Turn{Kind: profiles.TurnSend, By: profiles.ByText, Text: text}
}

func expect(by profiles.By, text string) profiles.Turn {
	return profiles.Turn{Kind: profiles.TurnExpect, By: by, Text: text}
}

// dialogue answers each line with a line, behind a banner and a log-in.
type dialogue struct{ banner bool }

func (d dialogue) Greet(in *bufio.Reader, out io.Writer) error {
	if !d.banner {
		return nil
	}
	if _, err := io.WriteString(out, "220 ready to serve\r\n"); err != nil {
		return err
	}
	if _, err := in.ReadString('\n'); err != nil {
		return err
	}
	_, err := io.WriteString(out, "250-one\r\n250 two\r\n")
	return err
}

func (dialogue) Request(in *bufio.Reader) error {
	_, err := in.ReadString('\n')
	return err
}

func (dialogue) Answer() []byte { return []byte("VALUE key 0 12\r\nhello, world\r\nEND\r\n") }

func target(script, begin []profiles.Turn) func(string, bool) profiles.Target {
	return func(addr string, secure bool) profiles.Target {
		scheme := map[bool]string{false: "tcp://", true: "tls://"}[secure]
		return profiles.Target{URL: scheme + addr, OnConnect: begin, Requests: []profiles.Request{{Script: script, Weight: 1}}}
	}
}

// TestContract holds scripts to what every protocol has to hold, with and without a
// begin, by each way of expecting an answer.
func TestContract(t *testing.T) {
	answer := string(dialogue{}.Answer())
	whole := []profiles.Turn{send("get key\r\n"), expect(profiles.ByText, answer)}
	for name, s := range map[string]wiretest.Subject{
		"text": {Secure: true, Target: target(whole, nil)},
		"pieces": {Target: target([]profiles.Turn{
			send("get key\r\n"), expect(profiles.ByLine, "^VALUE key 0 12$"), expect(profiles.ByLength, "14"),
			expect(profiles.ByRegexp, `END\r\n`),
		}, nil)},
		"closes": {Once: true, Target: target(append(whole[:2:2], profiles.Turn{Kind: profiles.TurnClose}), nil), Places: []fault.Place{
			fault.OnAccept, fault.BeforeResponseFresh, fault.InHeaders, fault.InBody, fault.AfterFIN,
		}},
		"begin": {Target: target(whole, []profiles.Turn{
			expect(profiles.ByLine, "^220 "), send("EHLO rampload\r\n"), expect(profiles.ByRegexp, `(?m)^250 .*\n`),
		}), Places: append(wiretest.Places(), fault.InGreeting)},
	} {
		t.Run(name, func(t *testing.T) {
			s.Protocol, s.First = stream.New, true
			s.Inject = func(o *fault.InjectorOptions) {
				o.Dialogue = func() fault.Dialogue { return dialogue{banner: name == "begin"} }
			}
			s.Bodies = func(proper []byte) map[string]wiretest.Body {
				return map[string]wiretest.Body{
					"an error":     {Bytes: []byte("ERROR\r\n"), Fault: attack.Status, Detail: "server unexpected-reply"},
					"too many":     {Bytes: []byte("ERROR Too many open connections\r\n"), Fault: attack.Status, Detail: "server too-many-clients"},
					"more":         {Bytes: append(bytes.Clone(proper), "and more"...), Open: true, Fault: attack.Protocol, Detail: "malformed unexpected-answer"},
					"too long":     {Bytes: append([]byte("VALUE "), bytes.Repeat([]byte("x"), 100_000)...), Open: true, Fault: attack.Status},
					"another case": {Bytes: bytes.ToLower(proper), Fault: attack.Status},
				}
			}
			wiretest.Run(t, s)
		})
	}
}

// serve answers each connection with a function, and returns the address.
func serve(t *testing.T, f func(c *net.TCPConn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { ln.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); f(c.(*net.TCPConn)) }()
		}
	}()
	return ln.Addr().String()
}

// try makes one attempt of a script.
func try(t *testing.T, addr string, script ...profiles.Turn) (attack.Attempt, *record.Recorder) {
	t.Helper()
	rec := record.New()
	tr, err := wire.New(wire.Config{
		Profile: target(script, nil)(addr, false), Exchange: stream.New, OnIdle: rec.OnIdle,
		Client: profiles.Client{Connections: 1, Timeout: wiretest.Patience},
	})
	if err != nil {
		t.Fatal(err)
	}
	req, err := tr.Compile(profiles.Request{Script: script})
	if err != nil {
		t.Fatal(err)
	}
	a := attack.Attempt{Reply: &attack.Reply{Limit: 1000}}
	tr.Do(req, &a)
	tr.Close()
	return a, rec
}

// The end that a script makes is the one that the peer sees.
func TestEnds(t *testing.T) {
	for kind, want := range map[profiles.TurnKind]string{profiles.TurnClose: "EOF", profiles.TurnReset: "connection reset by peer"} {
		ends := make(chan error, 1)
		addr := serve(t, func(c *net.TCPConn) {
			_, err := bufio.NewReader(c).ReadString('\n')
			if err == nil {
				_, err = c.Read(make([]byte, 1))
			}
			ends <- err
		})
		a, rec := try(t, addr, send("bye\n"), profiles.Turn{Kind: kind})
		if a.Fault != attack.None || a.WireReset || rec.Resets() > 0 || len(rec.Idle()) > 0 {
			t.Errorf("%s: %v, %v", kind, a.Fault, rec.Idle())
		}
		select {
		case err := <-ends:
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%s: the peer saw %v, want %s", kind, err, want)
			}
		case <-time.After(wiretest.Patience):
			t.Errorf("%s: the peer saw nothing", kind)
		}
	}
}

// A connection that the peer ends while it is held ends the hold, with the peer's words.
func TestHold(t *testing.T) {
	for name, want := range map[string]string{"fin": "status/server slow-consumer", "rst": "reset/server slow-consumer", "silent rst": "reset/"} {
		addr := serve(t, func(c *net.TCPConn) {
			_, _ = bufio.NewReader(c).ReadString('\n')
			if name != "silent rst" {
				_, _ = c.Write(bytes.Repeat([]byte("MSG x 1 5\r\nhello\r\n"), 1000))
				_, _ = io.WriteString(c, "-ERR 'Slow Consumer'\r\n")
			}
			if name != "fin" {
				time.Sleep(20 * time.Millisecond) // what was sent arrives before the RST
				fault.Reset(c)
			}
		})
		a, rec := try(t, addr, send("SUB x 1\r\n"), profiles.Turn{Kind: profiles.TurnHold, For: wiretest.Patience})
		if got := a.Fault.String() + "/" + a.Detail.String(); got != want {
			t.Errorf("%s: %s in %v, want %s", name, got, a.Phase, want)
		}
		resets := rec.Resets()
		if a.WireReset {
			resets++
		}
		if want := map[bool]int{true: 0, false: 1}[name == "fin"]; resets != want {
			t.Errorf("%s: %d wire resets, want %d", name, resets, want)
		}
	}
}

// What was said is shown to whoever wants to see it, and filled in.
func TestTurnsAreShown(t *testing.T) {
	addr := serve(t, func(c *net.TCPConn) { _, _ = io.Copy(c, c) })
	script := []profiles.Turn{send("n ${request.number}\r\n"), expect(profiles.ByLine, "^n [0-9]+$"), send("x"), expect(profiles.ByAny, "")}
	tr, err := wire.New(wire.Config{Profile: target(script, nil)(addr, false), Exchange: stream.New, Client: profiles.Client{Connections: 1, Timeout: wiretest.Patience}})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	req, err := tr.Compile(profiles.Request{Script: script, Filled: true})
	if err != nil {
		t.Fatal(err)
	}
	a := attack.Attempt{Request: 7, Reply: &attack.Reply{Limit: 1000}}
	tr.Do(req, &a)
	var b strings.Builder
	for _, turn := range a.Reply.Turns {
		fmt.Fprintf(&b, "%v %q;", turn.Ours, turn.Data)
	}
	want := `true "n 7\r\n";false "n 7\r\n";true "x";false "x";`
	if a.Fault != attack.None || b.String() != want {
		t.Errorf("%v %q: %s, want %s", a.Fault, a.Detail, b.String(), want)
	}
}

// TestWhy: what was expected and what came instead is told of each way to fail, that of
// on-connect too.
func TestWhy(t *testing.T) {
	addr := serve(t, func(c *net.TCPConn) {
		_, _ = c.Write([]byte("220 hello\r\n"))
		in := bufio.NewScanner(c)
		for in.Scan() && in.Text() != "QUIT" {
			_, _ = c.Write([]byte("550 no\r\n"))
		}
	})
	hello, no := expect(profiles.ByLine, "^220"), expect(profiles.ByLine, "^250")
	for name, c := range map[string]struct {
		begin, script []profiles.Turn
		why           string
	}{
		"answer":     {nil, []profiles.Turn{hello, send("EHLO\r\n"), no}, `turn 3, expect line ^250: got "550 no\r\n"`},
		"end":        {nil, []profiles.Turn{hello, send("QUIT\r\n"), no}, "turn 3, expect line ^250: got nothing before the connection was closed"},
		"on-connect": {[]profiles.Turn{no}, []profiles.Turn{send("EHLO\r\n"), no}, `on-connect, turn 1, expect line ^250: got "220 hello\r\n"`},
		"closed on-connect": {
			[]profiles.Turn{hello, send("QUIT\r\n"), no},
			[]profiles.Turn{send("EHLO\r\n"), no},
			"on-connect, turn 3, expect line ^250: got nothing before the connection was closed",
		},
	} {
		tr, err := wire.New(wire.Config{
			Profile: target(c.script, c.begin)(addr, false), Exchange: stream.New,
			Client: profiles.Client{Connections: 1, Timeout: wiretest.Patience},
		})
		if err != nil {
			t.Fatal(err)
		}
		req, err := tr.Compile(profiles.Request{Script: c.script})
		if err != nil {
			t.Fatal(err)
		}
		a := attack.Attempt{Reply: &attack.Reply{Limit: 1000}}
		tr.Do(req, &a)
		tr.Close()
		if a.Answer == nil || a.Answer.Why != c.why || len(a.Reply.Turns) == 0 {
			t.Errorf("%s: %v %+v, want %s; said %d turns", name, a.Fault, a.Answer, c.why, len(a.Reply.Turns))
		}
	}
}
