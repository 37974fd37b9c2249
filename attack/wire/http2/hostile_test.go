package http2

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/rampload/rampload/attack"
)

// TestMalformed: what is malformed is said, whether it ends the stream or the
// connection.
func TestMalformed(t *testing.T) {
	raw := func(ft http2.FrameType, flags http2.Flags, id uint32, payload string) func(*peer, uint32) {
		return func(p *peer, _ uint32) { p.WriteRawFrame(ft, flags, id, []byte(payload)) }
	}
	onStream := func(ft http2.FrameType, flags http2.Flags, payload string) func(*peer, uint32) {
		return func(p *peer, id uint32) { p.WriteRawFrame(ft, flags, id, []byte(payload)) }
	}
	head := func(end bool, fields ...string) func(*peer, uint32) {
		return func(p *peer, id uint32) { p.headers(id, end, fields...) }
	}
	then := func(steps ...func(*peer, uint32)) func(*peer, uint32) {
		return func(p *peer, id uint32) {
			for _, s := range steps {
				s(p, id)
			}
		}
	}
	ok := head(false, ":status", "200")
	for _, c := range []struct {
		name string
		send func(*peer, uint32)
		want Malformed
		conn bool // it ends the connection
	}{
		{"HTTP/1 on a stream", func(p *peer, _ uint32) { io.WriteString(p.conn, "HTTP/1.1 400 Bad Request\r\n\r\n") }, FrameSize, true},
		{"frame too long", func(p *peer, id uint32) { p.WriteRawFrame(http2.FrameData, 0, id, make([]byte, frameSize+1)) }, FrameSize, true},
		{"data on stream 0", raw(http2.FrameData, 0, 0, "x"), DataFrame, true},
		{"data before headers", onStream(http2.FrameData, 0, "x"), DataFrame, false},
		{"data padded beyond its end", then(ok, onStream(http2.FrameData, http2.FlagDataPadded, "\xffx")), DataFrame, true},
		{"data padded without length", then(ok, onStream(http2.FrameData, http2.FlagDataPadded, "")), FrameSize, true},
		{"headers on stream 0", raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 0, ""), HeadersFrame, true},
		{"headers padded beyond their end", onStream(http2.FrameHeaders, http2.FlagHeadersPadded|http2.FlagHeadersEndHeaders, "\xffx"), HeadersFrame, true},
		{"headers of an idle stream", func(p *peer, id uint32) { p.headers(id+2, true, ":status", "200") }, IdleStream, true},
		{"headers of a stream of the peer's", func(p *peer, id uint32) { p.headers(2, true, ":status", "200") }, IdleStream, true},
		{"a second head", then(ok, head(false, "a", "b")), HeadersFrame, false},
		{"priority too short", onStream(http2.FramePriority, 0, "x"), FrameSize, true},
		{"reset of stream 0", raw(http2.FrameRSTStream, 0, 0, "abcd"), ResetFrame, true},
		{"reset too short", onStream(http2.FrameRSTStream, 0, "abc"), FrameSize, true},
		{"reset of an idle stream", func(p *peer, id uint32) { p.WriteRSTStream(id+20, 1) }, IdleStream, true},
		{"settings on a stream", onStream(http2.FrameSettings, 0, ""), SettingsFrame, true},
		{"settings with a piece of one", raw(http2.FrameSettings, 0, 0, "abc"), FrameSize, true},
		{"settings with a window too large", func(p *peer, _ uint32) {
			p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31})
		}, SettingsFrame, true},
		{"settings with push", func(p *peer, _ uint32) { p.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 1}) }, SettingsFrame, true},
		{"settings that lift a window too high", then(
			func(p *peer, id uint32) { p.WriteWindowUpdate(id, 1<<31-1-defaultWindow) },
			func(p *peer, _ uint32) {
				p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
			},
		), WindowFrame, true},
		{"push", onStream(http2.FramePushPromise, http2.FlagPushPromiseEndHeaders, "\x00\x00\x00\x02\x88"), PushFrame, true},
		{"ping on a stream", onStream(http2.FramePing, 0, "12345678"), PingFrame, true},
		{"ping too short", raw(http2.FramePing, 0, 0, "1234567"), FrameSize, true},
		{"goaway on a stream", onStream(http2.FrameGoAway, 0, "12345678"), GoAwayFrame, true},
		{"window by 0 on a stream", onStream(http2.FrameWindowUpdate, 0, "\x00\x00\x00\x00"), WindowFrame, false},
		{"window by 0", raw(http2.FrameWindowUpdate, 0, 0, "\x00\x00\x00\x00"), WindowFrame, true},
		{"window too large on a stream", func(p *peer, id uint32) { p.WriteWindowUpdate(id, 1<<31-1) }, WindowFrame, false},
		{"window too large", func(p *peer, _ uint32) { p.WriteWindowUpdate(0, 1<<31-1) }, WindowFrame, true},
		{"window of an idle stream", func(p *peer, id uint32) { p.WriteWindowUpdate(id+2, 1) }, IdleStream, true},
		{"continuation of nothing", onStream(http2.FrameContinuation, 0, ""), HeaderOrder, true},
		{"no continuation", then(onStream(http2.FrameHeaders, 0, ""), raw(http2.FramePing, 0, 0, "12345678")), HeaderOrder, true},
		{"compression", onStream(http2.FrameHeaders, http2.FlagHeadersEndHeaders, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), HeaderBlock, true},
		{"compression cut off", onStream(http2.FrameHeaders, http2.FlagHeadersEndHeaders, "\x00\x05ab"), HeaderBlock, true},
		{"headers too large", then(onStream(http2.FrameHeaders, 0, ""), func(p *peer, id uint32) {
			piece := []byte("\x00\x01a\x7f\xe1\x5f" + strings.Repeat("v", 127+0x61+0x5f<<7))
			for range 100 {
				p.WriteContinuation(id, false, piece)
			}
		}), HeaderSize, true},
		{"headers that unfold", func(p *peer, id uint32) {
			p.headers(id, false, ":status", "103", "long", strings.Repeat("v", 3000))
			// 3,000 references to the same field: 9 MB
			p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte("\x88" + strings.Repeat("\xbe", 3000)), EndHeaders: true})
		}, HeaderSize, false},
		{"a field in upper case", head(true, ":status", "200", "Upper", "x"), HeaderField, false},
		{"a field without a name", head(true, ":status", "200", "", "x"), HeaderField, false},
		{"a field with a line end", head(true, ":status", "200", "a", "x\ny"), HeaderField, false},
		{"a pseudo-header of requests", head(true, ":status", "200", ":path", "/"), PseudoHeader, false},
		{"a late status", head(true, "a", "b", ":status", "200"), PseudoHeader, false},
		{"two statuses", head(true, ":status", "200", ":status", "200"), PseudoHeader, false},
		{"no status", head(true, "a", "b"), PseudoHeader, false},
		{"status in a trailer", then(ok, head(true, ":status", "200")), PseudoHeader, false},
		{"status 101", head(false, ":status", "101"), StatusField, false},
		{"status 99", head(true, ":status", "099"), StatusField, false},
		{"status 2000", head(true, ":status", "2000"), StatusField, false},
		{"an interim response that ends", head(true, ":status", "103"), HeadersFrame, false},
		{"two lengths", head(false, ":status", "200", "content-length", "1", "content-length", "2"), ContentLength, false},
		{"no length", head(false, ":status", "200", "content-length", "x"), ContentLength, false},
		{"a body too short", then(head(false, ":status", "200", "content-length", "5"), onStream(http2.FrameData, http2.FlagDataEndStream, "1234")), ContentLength, false},
		{"a body too long", then(head(false, ":status", "200", "content-length", "5"), onStream(http2.FrameData, 0, "123456")), ContentLength, false},
		{"a body of 204", then(head(false, ":status", "204"), onStream(http2.FrameData, 0, "x")), UnexpectedBody, false},
		{"continuations of nothing", then(onStream(http2.FrameHeaders, 0, ""), func(p *peer, id uint32) {
			for range 1000 {
				p.WriteContinuation(id, false, nil)
			}
		}), Flood, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, p := play(t, Config{})
			_, out := begin(conn, nil, "")
			id := p.request().StreamID
			sent := make(chan struct{})
			go func() { // what is written may be more than the other side takes
				defer close(sent)
				c.send(p, id)
			}()
			var bad *MalformedError
			if err := end(t, out); !errors.As(err, &bad) || bad.What != c.want {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if c.conn {
				select {
				case <-conn.Done():
				case <-time.After(patience):
					t.Fatal("the connection goes on")
				}
				if err := conn.Err(); !errors.As(err, &bad) || bad.What != c.want {
					t.Errorf("the connection: %v", err)
				}
				return
			}
			for f := await[*http2.RSTStreamFrame](p); f.StreamID != id; {
				t.Errorf("%v", f)
			}
			<-sent // one writes at a time
			_, out = begin(conn, nil, "")
			p.headers(p.request().StreamID, true, ":status", "200")
			if err := end(t, out); err != nil {
				t.Errorf("the next stream: %v", err)
			}
		})
	}
}

// TestNotHTTP2: a peer that speaks something else is told from one that breaks off.
func TestNotHTTP2(t *testing.T) {
	for _, first := range []string{
		"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
		"220 mail.example ESMTP\r\n",
		"\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678", // a PING
	} {
		client, server := pair(t)
		c := NewConn(tcpLink{client}, Config{})
		_, out := begin(c, nil, "")
		io.WriteString(server, first)
		var bad *MalformedError
		if err := end(t, out); !errors.As(err, &bad) || bad.What != NotHTTP2 {
			t.Errorf("%.10q: %v", first, err)
		}
	}
}

// TestFloods: a peer that sends frames without content without end is left, and
// one that sends a few is not.
func TestFloods(t *testing.T) {
	for name, frame := range map[string]func(*peer, uint32) error{
		"settings":          func(p *peer, _ uint32) error { return p.WriteSettings() },
		"ping":              func(p *peer, _ uint32) error { return p.WritePing(false, [8]byte{}) },
		"ping answers":      func(p *peer, _ uint32) error { return p.WritePing(true, [8]byte{}) },
		"priority":          func(p *peer, id uint32) error { return p.WritePriority(id, http2.PriorityParam{}) },
		"priority of none":  func(p *peer, _ uint32) error { return p.WritePriority(2, http2.PriorityParam{}) },
		"empty data":        func(p *peer, id uint32) error { return p.WriteData(id, false, nil) },
		"padded data":       func(p *peer, id uint32) error { return p.WriteDataPadded(id, false, nil, make([]byte, 2)) },
		"window":            func(p *peer, _ uint32) error { return p.WriteWindowUpdate(0, 1) },
		"window on streams": func(p *peer, id uint32) error { return p.WriteWindowUpdate(id, 1) },
		"unknown":           func(p *peer, _ uint32) error { return p.WriteRawFrame(200, 0, 0, nil) },
		"goaway":            func(p *peer, _ uint32) error { return p.WriteGoAway(1<<31-1, 0, nil) },
		"resets of what ended": func(p *peer, id uint32) error {
			return p.WriteRSTStream(id-2, 0)
		},
		"interim": func(p *peer, id uint32) error {
			p.headers(id, false, ":status", "103")
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, p := play(t, Config{})
			_, first := begin(c, nil, "")
			p.headers(p.request().StreamID, true, ":status", "200")
			end(t, first)
			_, out := begin(c, nil, "")
			id := p.request().StreamID
			if name == "empty data" || name == "padded data" {
				p.headers(id, false, ":status", "200")
			}
			go io.Copy(io.Discard, p.conn)
			for n := range 100_000 {
				if frame(p, id) != nil {
					break
				}
				if n == 200 {
					select {
					case err := <-out:
						t.Errorf("it ended after %d frames: %v", n, err)
					default:
					}
				}
			}
			var bad *MalformedError
			if err := end(t, out); !errors.As(err, &bad) || bad.What != Flood && (name != "window on streams" || bad.What != WindowFrame) && (name != "interim" || bad.What != HeaderSize) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestAnswersNotRead: answers to a peer that does not read do not pile up, even if
// what it sends is not all useless.
func TestAnswersNotRead(t *testing.T) {
	c, p := play(t, Config{})
	_, out := begin(c, nil, "")
	id := p.request().StreamID
	p.headers(id, false, ":status", "200")
	go func() {
		for p.WritePing(false, [8]byte{}) == nil && p.WriteData(id, false, []byte("x")) == nil {
		}
	}()
	var bad *MalformedError
	if err := end(t, out); !errors.As(err, &bad) || bad.What != Flood {
		t.Errorf("%v", err)
	}
	c.mu.Lock()
	if n := cap(c.out.queue); n > 2*hardQueue {
		t.Errorf("%d bytes wait", n)
	}
	c.mu.Unlock()
	p.conn.Close()
}

// TestStalledPeer: a peer that reads nothing holds up no time limit, takes no new
// streams, and is given up.
func TestStalledPeer(t *testing.T) {
	changed := make(chan struct{}, 100)
	c, p := play(t, Config{OnChange: func(*Conn) { changed <- struct{}{} }},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
	p.settled()
	p.WriteWindowUpdate(0, 1<<30)
	p.conn.SetReadBuffer(8 << 10)
	big := strings.Repeat("x", 16<<20)
	var outs []chan error
	var xs []*Exchange
	for i := range 20 {
		body := ""
		if i < 3 {
			body = big
		}
		x, out := begin(c, func(x *Exchange) { x.Deadline = c.cfg.Clock() + 200*time.Millisecond }, body)
		outs, xs = append(outs, out), append(xs, x)
	}
	start := time.Now()
	late := 0
	for i, out := range outs {
		err := end(t, out)
		switch {
		case errors.Is(err, ErrNotSent): // on a busy machine the peer is given up before the last begin
			late++
		case !errors.Is(err, ErrTimeout):
			t.Errorf("%v", err)
		case i < 3 && xs[i].Phase != attack.PhaseWrite:
			t.Errorf("it was in %v", xs[i].Phase)
		}
	}
	if late == len(outs) {
		t.Error("none was begun")
	}
	if d := time.Since(start); d > patience {
		t.Errorf("the time limits took %v", d)
	}
	for !c.Closing() {
		select {
		case <-changed:
		case <-time.After(patience):
			t.Fatal("it is not given up")
		}
	}
	begun := time.Now()
	c.Shut()
	<-c.Done()
	if d := time.Since(begun); d > 5*time.Second {
		t.Errorf("the end took %v", d)
	}
}

// TestSignOfLife: after a timeout a peer that answers a ping is trusted again.
func TestSignOfLife(t *testing.T) {
	changed := make(chan struct{}, 100)
	c, p := play(t, Config{OnChange: func(*Conn) { changed <- struct{}{} }})
	p.settled()
	_, out := begin(c, func(x *Exchange) { x.Deadline = c.cfg.Clock() + 200*time.Millisecond }, "")
	id := p.request().StreamID
	if err := end(t, out); !errors.Is(err, ErrTimeout) {
		t.Errorf("%v", err)
	}
	if f := await[*http2.RSTStreamFrame](p); f.StreamID != id || f.ErrCode != http2.ErrCodeCancel {
		t.Errorf("%v", f)
	}
	if c.Room() != 0 {
		t.Errorf("room for %d after a timeout in silence", c.Room())
	}
	p.WritePing(true, await[*http2.PingFrame](p).Data)
	for c.Room() == 0 {
		<-changed
	}
	_, out = begin(c, nil, "")
	p.headers(p.request().StreamID, true, ":status", "200")
	if err := end(t, out); err != nil {
		t.Error(err)
	}
}

// TestPings: a connection whose peer does not answer pings ends.
func TestPings(t *testing.T) {
	c, p := play(t, Config{PingEvery: 20 * time.Millisecond, PingTimeout: 300 * time.Millisecond})
	_, out := begin(c, nil, "")
	p.request()
	for range 3 {
		p.WritePing(true, await[*http2.PingFrame](p).Data)
	}
	if err := end(t, out); !errors.Is(err, ErrPing) {
		t.Errorf("%v", err)
	}
	<-c.Done()
	if !errors.Is(c.Err(), ErrPing) {
		t.Errorf("%v", c.Err())
	}
}

func TestMalformedNames(t *testing.T) {
	seen := map[string]bool{"": true, "invalid": true}
	for m := Malformed(1); int(m) < MalformedKinds; m++ {
		if seen[m.String()] {
			t.Errorf("%d: %q", m, m)
		}
		seen[m.String()] = true
	}
	if s := fmt.Sprint(&MalformedError{Flood, 0}); s != "malformed HTTP/2: flood" {
		t.Error(s)
	}
}
