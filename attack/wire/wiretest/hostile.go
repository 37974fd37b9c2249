package wiretest

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fault"
)

// hostileTime is how long an attempt against a peer may take that never comes to an end.
const hostileTime = 400 * time.Millisecond

// mostMemory is what an attempt may have allocated and kept against an endless peer.
const mostMemory = 24 << 20

// hostile holds attempts against peers that cut, garble and flood their answers.
func (subject Subject) hostile(t *testing.T) {
	proper := subject.properAnswer()
	bodies := map[string]Body{
		"nothing":         {Fault: attack.EOF},
		"silence":         {Open: true, Fault: attack.Timeout},
		"all but one":     {Bytes: proper[:len(proper)-1], Fault: attack.EOF},
		"all but one, on": {Bytes: proper[:len(proper)-1], Open: true, Fault: attack.Timeout},
		"zeros":           {Bytes: make([]byte, 64)},
		"zeros for ever":  {Bytes: make([]byte, 4096), Endless: true},
		"lines for ever":  {Bytes: []byte("lorem ipsum dolor sit amet\r\n"), Endless: true},
		"one line":        {Bytes: bytes.Repeat([]byte("x"), 4096), Endless: true},
		"0xff for ever":   {Bytes: bytes.Repeat([]byte{0xff}, 4096), Endless: true},
		"an http answer":  {Bytes: []byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")},
	}
	for cut := 1; cut < len(proper)-1; cut += 1 + len(proper)/8 {
		bodies["cut at "+string(rune('a'+cut%26))+" "+time.Duration(cut).String()] = Body{Bytes: proper[:cut], Fault: attack.EOF}
	}
	if subject.Bodies != nil {
		for name, b := range subject.Bodies(proper) {
			bodies[name] = b
		}
	}
	for name, b := range bodies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			subject.against(t, b)
		})
	}
	t.Run("random", func(t *testing.T) { subject.random(t, proper) })
	t.Run("a second answer", func(t *testing.T) { subject.twice(t, proper) })
	t.Run("memory", subject.memory)
}

// against makes attempts, to a peer that answers each with a body.
func (subject Subject) against(t *testing.T, b Body) {
	addr := subject.peer(t, func(c net.Conn, in *bufio.Reader) { b.send(t.Context(), c) })
	cfg := subject.config(addr, false)
	if b.Open || b.Endless {
		cfg.Client.Timeout = hostileTime
	}
	cfg.Client.Connections = 0 // no attempt meets the end of an earlier one's connection
	tr, req := open(t, cfg)
	for range 2 {
		var a attack.Attempt
		tr.Do(req, &a)
		// A RST may be behind the FIN.
		told := b.Fault == attack.None || a.Fault == b.Fault || b.Fault == attack.EOF && a.Fault == attack.Reset
		if a.Fault == attack.None || !told {
			t.Errorf("ended in %v %q in %v, want %v", a.Fault, a.Detail, a.Phase, b.Fault)
		}
		if b.Detail != "" && a.Detail.String() != b.Detail {
			t.Errorf("detail %q, want %q", a.Detail, b.Detail)
		}
		if a.Fault.Local() || a.Fault == attack.Canceled {
			t.Errorf("ended in %v", a.Fault)
		}
	}
}

// send sends the answer, and returns when the connection is to be closed.
func (b Body) send(ctx context.Context, c net.Conn) {
	for {
		if _, err := c.Write(b.Bytes); err != nil {
			return
		}
		if !b.Endless {
			break
		}
	}
	if !b.Open {
		// With a FIN, and not the RST that unread bytes would bring about.
		_ = c.(*net.TCPConn).CloseWrite()
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	_, _ = io.Copy(io.Discard, c)
}

// random garbles a proper answer in every way: nothing must panic or hang. Some of what
// comes of it may be proper answers.
func (subject Subject) random(t *testing.T, proper []byte) {
	rng := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	addr := subject.peer(t, func(c net.Conn, in *bufio.Reader) {
		mu.Lock()
		answer := bytes.Clone(proper)
		for range 1 + rng.IntN(4) {
			answer[rng.IntN(len(answer))] ^= byte(1 << rng.IntN(8))
		}
		mu.Unlock()
		Body{Bytes: answer}.send(t.Context(), c)
	})
	cfg := subject.config(addr, false)
	cfg.Client.Timeout = Patience
	tr, req := open(t, cfg)
	for range 200 {
		var a attack.Attempt
		tr.Do(req, &a)
		if a.Fault == attack.Timeout || a.Fault.Local() {
			t.Fatalf("ended in %v %q in %v", a.Fault, a.Detail, a.Phase)
		}
	}
}

// twice answers each request twice: the second answer is nobody's, and must not be taken
// for that of a later request.
func (subject Subject) twice(t *testing.T, proper []byte) {
	if subject.Once {
		return
	}
	var read atomic.Int64
	addr := subject.peer(t, func(c net.Conn, in *bufio.Reader) {
		read.Add(1)
		Body{Bytes: append(bytes.Clone(proper), proper...), Open: true}.send(t.Context(), c)
	})
	tr, req := open(t, subject.config(addr, false))
	ok := 0
	for range 5 {
		var a attack.Attempt
		tr.Do(req, &a)
		if a.Fault == attack.None {
			ok++
		}
	}
	if n := int(read.Load()); ok > n {
		t.Errorf("%d attempts succeeded of %d requests that were answered", ok, n)
	}
}

// memory bounds what endless peers make the client keep.
func (subject Subject) memory(t *testing.T) {
	proper := subject.properAnswer()
	flood := bytes.Repeat(proper[:len(proper)-1], 1+65536/len(proper))
	for _, chunk := range [][]byte{flood, make([]byte, 65536), bytes.Repeat([]byte("a"), 65536)} {
		addr := subject.peer(t, func(c net.Conn, in *bufio.Reader) { Body{Bytes: chunk, Endless: true}.send(t.Context(), c) })
		cfg := subject.config(addr, false)
		cfg.Client.Timeout = hostileTime
		tr, req := open(t, cfg)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range 3 {
			var a attack.Attempt
			tr.Do(req, &a)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > mostMemory {
			t.Errorf("%d bytes of memory are kept after endless answers", grown)
		}
		tr.Close()
	}
}

// peer is a server that greets properly, reads one request of a connection, and leaves
// the answer to a function.
func (subject Subject) peer(t *testing.T, answer func(c net.Conn, in *bufio.Reader)) string {
	t.Helper()
	var opts fault.InjectorOptions
	subject.Inject(&opts)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		ln.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				defer context.AfterFunc(ctx, func() { c.Close() })()
				d, in := opts.Dialogue(), bufio.NewReader(c)
				if d.Greet(in, c) == nil && d.Request(in) == nil {
					answer(c, in)
				}
			})
		}
	})
	return ln.Addr().String()
}
