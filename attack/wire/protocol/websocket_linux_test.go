package protocol_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/attack/wire/wiretest"
	"github.com/rampload/rampload/attack/wire/wiretest/record"
	"github.com/rampload/rampload/profiles"
)

// echo is a server that echoes messages, and closes with a code where it is asked to.
func echo(t *testing.T, protocols ...string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/chat" || r.URL.RawQuery != "room=1" {
			http.Error(w, "no such room", http.StatusNotFound)
			return
		}
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: protocols})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(1 << 20)
		for {
			kind, b, err := c.Read(context.WithoutCancel(r.Context()))
			if err != nil {
				return
			}
			if string(b) == "go" {
				c.Close(websocket.StatusTryAgainLater, "full")
				return
			}
			if string(b) == "who" {
				b = []byte(r.Header.Get("X-Tenant") + " " + c.Subprotocol())
			}
			if c.Write(context.WithoutCancel(r.Context()), kind, b) != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

func TestWebSocketServer(t *testing.T) {
	url := echo(t)
	turn := func(kind profiles.TurnKind, by profiles.By, text string) profiles.Turn {
		return profiles.Turn{Kind: kind, By: by, Text: text}
	}
	script := func(turns ...profiles.Turn) profiles.Request { return profiles.Request{Script: turns} }
	send, expect := profiles.TurnSend, profiles.TurnExpect
	long := strings.Repeat("x", 200_000)
	for name, c := range map[string]struct {
		r      profiles.Request
		fault  attack.Fault
		detail string
		heard  string
	}{
		"message":  {r: profiles.Request{Command: "hello"}, heard: "hello"},
		"bytes":    {r: script(turn(send, profiles.ByBytes, "00 ff"), turn(expect, profiles.ByBytes, "00ff")), heard: "\x00\xff"},
		"another":  {r: script(turn(send, profiles.ByText, "a"), turn(send, profiles.ByText, "b"), turn(expect, profiles.ByRegexp, "^b$")), heard: "ab"},
		"wrong":    {r: script(turn(send, profiles.ByText, "a"), turn(expect, profiles.ByText, "b")), fault: attack.Status, detail: "server unexpected-reply", heard: "a"},
		"nothing":  {r: script(turn(send, profiles.ByText, "a"))},
		"ping":     {r: script(profiles.Turn{Kind: profiles.TurnPing}, turn(send, profiles.ByText, "a"), turn(expect, profiles.ByAny, "")), heard: "a"},
		"long":     {r: script(turn(send, profiles.ByText, long), turn(expect, profiles.ByLength, "200000")), heard: long[:1000]},
		"close":    {r: script(turn(send, profiles.ByText, "a"), turn(expect, profiles.ByAny, ""), profiles.Turn{Kind: profiles.TurnClose}), heard: "a"},
		"is given": {r: profiles.Request{Command: "go"}, fault: attack.EOF, detail: "websocket 1013"},
	} {
		t.Run(name, func(t *testing.T) {
			tr, reqs, rec := open(t, url+"/chat?room=1", 1, c.r)
			for range 3 {
				a := do(t, tr, reqs[0])
				if a.Fault != c.fault || a.Detail.String() != c.detail || heard(a) != strings.TrimSpace(c.heard) {
					t.Errorf("%v %q in %v, heard %.40q; want %v %q %.40q", a.Fault, a.Detail, a.Phase, heard(a), c.fault, c.detail, c.heard)
				}
			}
			dials := tr.Stats().Dials
			if kept := c.fault == attack.None && name != "close"; kept != (dials == 1) {
				t.Errorf("%d connections", dials)
			}
			tr.Close()
			if rec.Resets() > 0 {
				t.Errorf("%d resets", rec.Resets())
			}
		})
	}
}

func wait(t *testing.T, until func() bool) {
	t.Helper()
	for end := time.Now().Add(wiretest.Patience); !until(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come")
		}
	}
}

// An answer other than 101 is a failure by its status.
func TestWebSocketRefused(t *testing.T) {
	tr, reqs, _ := open(t, echo(t)+"/none", 1, profiles.Request{Command: "hello"})
	if a := do(t, tr, reqs[0]); a.Fault != attack.Status || a.Status != http.StatusNotFound || a.Answer == nil || !strings.Contains(a.Answer.Body, "no such room") {
		t.Errorf("%v %d %q %+v", a.Fault, a.Status, a.Detail, a.Answer)
	}
}

// Connections are held, and each message goes over another of them.
func TestWebSocketHeld(t *testing.T) {
	const n = 50
	tr, reqs, _ := open(t, echo(t)+"/chat?room=1", 1, profiles.Request{Command: "hello"})
	tr.Hold(n)
	wait(t, func() bool { return tr.Stats().Idle == n })
	ids := map[uint64]bool{}
	for range n {
		a := do(t, tr, reqs[0])
		if a.Fault != attack.None {
			t.Fatalf("%v %q", a.Fault, a.Detail)
		}
		ids[a.Conn.ID] = true
	}
	if len(ids) < n*8/10 {
		t.Errorf("%d messages went over %d connections", n, len(ids))
	}
}

// Connections that are held no more are closed by us, which is no failure of theirs, whether
// or not a message went over them.
func TestWebSocketHeldNoMore(t *testing.T) {
	tr, reqs, rec := open(t, echo(t)+"/chat?room=1", 1, profiles.Request{Command: "hello"})
	tr.Hold(30)
	wait(t, func() bool { return tr.Stats().Idle == 30 })
	for range 5 {
		if a := do(t, tr, reqs[0]); a.Fault != attack.None {
			t.Errorf("%v %q", a.Fault, a.Detail)
		}
	}
	tr.Hold(2)
	wait(t, func() bool { return tr.Stats().Open == 2 })
	tr.Close()
	if idle := rec.Idle(); len(idle) > 0 {
		t.Errorf("reported %v", record.Faults(idle))
	}
}

// A server that takes its time for each handshake does not hold up the others that are to
// be held: all of them wait at once.
func TestWebSocketHandshakesSideBySide(t *testing.T) {
	const n = 30
	var waiting atomic.Int64
	all := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if waiting.Add(1) == n {
			close(all)
		}
		select {
		case <-all:
		case <-r.Context().Done():
			return
		}
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		_, _, _ = c.Read(context.WithoutCancel(r.Context()))
	}))
	t.Cleanup(s.Close)
	tr, _, _ := open(t, "ws"+strings.TrimPrefix(s.URL, "http"), 1, profiles.Request{Command: "hello"})
	tr.Hold(n)
	wait(t, func() bool { return tr.Stats().Open == n && waiting.Load() == n })
}

// A run may end while handshakes are under way: they end with it.
func TestWebSocketClosedInHandshake(t *testing.T) {
	const n = 5
	var waiting atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		waiting.Add(1)
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	tr, _, rec := open(t, "ws"+strings.TrimPrefix(s.URL, "http"), 1, profiles.Request{Command: "hello"})
	tr.Hold(n)
	wait(t, func() bool { return waiting.Load() == n })
	tr.Close()
	if rec.Resets() > 0 || tr.Stats().Open != 0 {
		t.Errorf("%d resets, %d connections open", rec.Resets(), tr.Stats().Open)
	}
}

// aside is what was counted beside requests.
type aside struct {
	role profiles.Role
	attack.Attempt
}

// watched opens connections to a target that is watched for signs of life.
func watched(t *testing.T, target profiles.Target, timeout time.Duration) (*wire.Transport, func(profiles.Role) []aside) {
	t.Helper()
	var mu sync.Mutex
	var all []aside
	tr, err := wire.New(wire.Config{
		Profile: target, Exchange: protocol.New, Client: profiles.Client{Connections: 1, Timeout: timeout},
		OnAside: func(role profiles.Role, a attack.Attempt) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, aside{role, a})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr, func(role profiles.Role) (out []aside) {
		mu.Lock()
		defer mu.Unlock()
		for _, a := range all {
			if a.role == role {
				out = append(out, a)
			}
		}
		return out
	}
}

// serving is a server of which each connection is for a function.
func serving(t *testing.T, serve func(c *websocket.Conn)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		serve(c)
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

// The first message of a server is counted once for each connection, in whatever way it
// comes or does not, and is taken for no answer.
func TestWebSocketFirstMessage(t *testing.T) {
	quit := make(chan struct{})
	t.Cleanup(func() { close(quit) })
	echo := func(c *websocket.Conn) {
		for {
			kind, b, err := c.Read(context.Background())
			if err != nil || c.Write(context.Background(), kind, b) != nil {
				return
			}
		}
	}
	for name, tt := range map[string]struct {
		within time.Duration
		serve  func(c *websocket.Conn)
		fault  attack.Fault
		detail string
		heard  string // in answer to a request
	}{
		"greets": {wiretest.Patience, func(c *websocket.Conn) {
			_ = c.Write(context.Background(), websocket.MessageText, []byte("welcome"))
			echo(c)
		}, attack.None, "", "hello"},
		"waits for ever": {100 * time.Millisecond, func(*websocket.Conn) { <-quit }, attack.Timeout, "", ""},
		"closes":         {wiretest.Patience, func(c *websocket.Conn) { c.Close(websocket.StatusTryAgainLater, "full") }, attack.EOF, "websocket 1013", ""},
	} {
		t.Run(name, func(t *testing.T) {
			target := profiles.Target{URL: serving(t, tt.serve), WebSocket: profiles.WebSocket{FirstMessage: tt.within}}
			tr, told := watched(t, target, wiretest.Patience)
			tr.Hold(3)
			wait(t, func() bool { return len(told(profiles.RoleFirst)) >= 3 })
			if tt.heard != "" {
				r, err := tr.Compile(profiles.Request{Command: "hello"})
				if err != nil {
					t.Fatal(err)
				}
				for range 5 {
					if a := do(t, tr, r); a.Fault != attack.None || heard(a) != tt.heard {
						t.Errorf("%v %q, heard %q", a.Fault, a.Detail, heard(a))
					}
				}
				if n := len(told(profiles.RoleFirst)); n != 3 {
					t.Errorf("%d first messages of 3 connections", n)
				}
			}
			for _, a := range told(profiles.RoleFirst) {
				if a.Fault != tt.fault || a.Detail.String() != tt.detail || a.End <= a.Due || a.Conn.ID == 0 || !a.Last {
					t.Errorf("%v %q from %v to %v", a.Fault, a.Detail, a.Due, a.End)
				}
			}
		})
	}
}

// A silent connection is pinged, and given up when nothing comes: another one takes its
// place. One that is talked over is not.
func TestWebSocketKeepAlive(t *testing.T) {
	quit := make(chan struct{})
	t.Cleanup(func() { close(quit) })
	live := serving(t, func(c *websocket.Conn) { _, _, _ = c.Read(context.Background()) })
	tr, told := watched(t, profiles.Target{URL: live, WebSocket: profiles.WebSocket{KeepAlive: 20 * time.Millisecond}}, wiretest.Patience)
	tr.Hold(2)
	wait(t, func() bool { return len(told(profiles.RolePing)) >= 6 })
	if n := tr.Stats().Dials; n != 2 {
		t.Errorf("%d connections that answer pings, want 2", n)
	}
	for _, a := range told(profiles.RolePing) {
		if a.Fault != attack.None || a.End < a.Start {
			t.Errorf("%v from %v to %v", a.Fault, a.Start, a.End)
		}
	}

	deaf := serving(t, func(*websocket.Conn) { <-quit })
	tr, told = watched(t, profiles.Target{URL: deaf, WebSocket: profiles.WebSocket{KeepAlive: 20 * time.Millisecond}}, 100*time.Millisecond)
	tr.Hold(1)
	wait(t, func() bool { return len(told(profiles.RolePing)) >= 2 })
	ids := map[uint64]bool{}
	for _, a := range told(profiles.RolePing) {
		if a.Fault != attack.Timeout || ids[a.Conn.ID] {
			t.Errorf("%v on connection %d", a.Fault, a.Conn.ID)
		}
		ids[a.Conn.ID] = true
	}
}
