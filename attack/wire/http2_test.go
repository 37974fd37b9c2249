package wire

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fault"
	"github.com/rampload/rampload/attack/wire/wiretest/record"
	"github.com/rampload/rampload/profiles"
)

// together makes n attempts at once.
func together(tr *Transport, req attack.Request, n int) []attack.Attempt {
	out := make([]attack.Attempt, n)
	var wg sync.WaitGroup
	for i := range out {
		out[i].Request = uint64(i)
		wg.Go(func() { tr.Do(req, &out[i]) })
	}
	wg.Wait()
	return out
}

func TestStreams(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) {
			in, cfg := injector(t, fault.InjectorOptions{TLS: secure, HTTP2: true, Hold: 5 * time.Millisecond, BodySize: 1 << 20})
			cfg.Client.Timeout = patience
			rec := record.New()
			cfg.OnIdle = rec.OnIdle
			tr, req := open(t, cfg, profiles.Request{Method: "POST", Path: "/", Body: "x"})
			if a := do(t, tr, profiles.Request{Path: "/"}); a.Fault != attack.None {
				t.Fatalf("%+v", a)
			}
			for _, a := range together(tr, req, 50) {
				expectEnd(t, a, attack.None, attack.PhaseDone, 200)
				if !a.Conn.Reused {
					t.Errorf("%+v", a.Conn)
				}
			}
			if n := in.Counts().Connections; n != 1 {
				t.Errorf("%d connections", n)
			}
			if s := tr.Stats(); s.Open != 1 || s.Idle != 1 || s.Dials != 1 {
				t.Errorf("%+v", s)
			}
			tr.Close()
			if s := tr.Stats(); s.Open != 0 || len(rec.Idle()) != 0 {
				t.Errorf("%+v, reported %v", s, record.Faults(rec.Idle()))
			}
		})
	}
}

// TestStreamFaults: RST_STREAM and GOAWAY are no TCP resets.
func TestStreamFaults(t *testing.T) {
	for place, want := range map[fault.Place]attack.Fault{
		fault.StreamReset: attack.HTTP2Reset,
		fault.GoAway:      attack.HTTP2GoAway,
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(fmt.Sprintf("%v/%s", place, method), func(t *testing.T) {
				in, cfg := injector(t, fault.InjectorOptions{HTTP2: true, Place: place, Every: 2})
				rec := record.New()
				cfg.OnIdle = rec.OnIdle
				tr, req := open(t, cfg, profiles.Request{Method: method, Path: "/"})
				for i := range 20 {
					var a attack.Attempt
					tr.Do(req, &a)
					if i%2 == 0 {
						expectEnd(t, a, attack.None, attack.PhaseDone, 200)
					} else {
						expectEnd(t, a, want, attack.PhaseAwait, 0)
					}
					if a.WireReset {
						t.Errorf("a wire reset: %+v", a)
					}
				}
				tr.Close()
				in.Close() // then its counts are final
				c := in.Counts()
				if c.Streams+c.GoAways != 10 || c.Resets != 0 || rec.Resets() != 0 {
					t.Errorf("%+v, %d wire resets", c, rec.Resets())
				}
				if place == fault.StreamReset && c.Connections != 1 {
					t.Errorf("%d connections", c.Connections)
				}
			})
		}
	}
}

// TestStreamErrors: only the stream that the peer reset is an http2-reset, also
// after others on its connection were, and whatever the code of the RST_STREAM.
func TestStreamErrors(t *testing.T) {
	reset := func(code http2.ErrCode) func(*http2.Framer, uint32) error {
		return func(f *http2.Framer, id uint32) error { return f.WriteRSTStream(id, code) }
	}
	steps := []struct {
		name   string
		answer func(*http2.Framer, uint32) error
		want   attack.Fault
	}{
		{"no status", func(f *http2.Framer, id uint32) error {
			var block bytes.Buffer
			_ = hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: "a", Value: "b"})
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true})
		}, attack.Protocol},
		{"reset", reset(http2.ErrCodeInternal), attack.HTTP2Reset},
		{"data before headers", func(f *http2.Framer, id uint32) error { return f.WriteData(id, true, []byte("x")) }, attack.Protocol},
		{"refused", reset(http2.ErrCodeRefusedStream), attack.HTTP2Reset},
		{"no status again", func(f *http2.Framer, id uint32) error {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndHeaders: true, EndStream: true})
		}, attack.Protocol},
		{"reset for our protocol error", reset(http2.ErrCodeProtocol), attack.HTTP2Reset},
	}
	url := scripted(t, func(c net.Conn, _ int) {
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		framer := http2.NewFramer(c, c)
		err := framer.WriteSettings()
		for n := 0; err == nil; {
			var f http2.Frame
			if f, err = framer.ReadFrame(); err != nil {
				return
			}
			if h, ok := f.(*http2.HeadersFrame); ok {
				err = steps[n].answer(framer, h.StreamID)
				n++
			}
		}
	})
	tr, _ := client(t, url, func(c *Config) { c.Client.Protocol = profiles.ProtocolH2C })
	req := compile(t, tr, profiles.Request{})
	var first uint64
	for _, s := range steps {
		var a attack.Attempt
		tr.Do(req, &a)
		if first == 0 {
			first = a.Conn.ID
		}
		if a.Fault != s.want || a.WireReset || a.Conn.ID != first {
			t.Errorf("%s: %v, want %v: %+v", s.name, a.Fault, s.want, a)
		}
	}
}

// TestStreamsReset resets a connection with many streams: all fail, and one of
// them reports the RST.
func TestStreamsReset(t *testing.T) {
	in, cfg := injector(t, fault.InjectorOptions{HTTP2: true, Place: fault.BeforeResponseReused, Limit: 1, Hold: 500 * time.Millisecond})
	rec := record.New()
	cfg.OnIdle = rec.OnIdle
	tr, req := open(t, cfg, profiles.Request{Path: "/"})
	do(t, tr, profiles.Request{Path: "/"})
	resets, wire := 0, 0
	for _, a := range together(tr, req, 30) {
		if a.Fault == attack.Reset {
			resets++
		}
		if a.WireReset {
			wire++
		}
	}
	tr.Close()
	in.Close()
	if resets != 30 || wire != 1 || rec.Resets() != 0 || in.Counts().Resets != 1 {
		t.Errorf("%d attempts reset, %d wire resets and %d idle; injected %d", resets, wire, rec.Resets(), in.Counts().Resets)
	}
}

func TestStreamTimeout(t *testing.T) {
	in, cfg := injector(t, fault.InjectorOptions{HTTP2: true, Hold: time.Hour})
	cfg.Client.Timeout = 500 * time.Millisecond
	tr, req := open(t, cfg, profiles.Request{Path: "/"})
	for _, a := range together(tr, req, 5) {
		expectEnd(t, a, attack.Timeout, attack.PhaseAwait, 0)
	}
	if n := in.Counts().Connections; n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestStreamBodies(t *testing.T) {
	_, cfg := injector(t, fault.InjectorOptions{TLS: true, HTTP2: true})
	cfg.Client.Timeout = patience
	cfg.Client.ExpectContinue = true
	for _, r := range []profiles.Request{
		{Method: "POST", Body: strings.Repeat("x", 1<<20)},
		{Method: "POST", Body: "n={{.N}}", Template: true},
		{Method: "PUT", Body: "x", Chunked: true},
		{Method: "HEAD", Headers: []profiles.Header{{Name: "Connection", Value: "keep-alive"}, {Name: "Host", Value: "other"}}},
	} {
		tr, req := open(t, cfg, r)
		var a attack.Attempt
		tr.Do(req, &a)
		expectEnd(t, a, attack.None, attack.PhaseDone, 200)
	}
}

func TestStreamsHold(t *testing.T) {
	_, cfg := injector(t, fault.InjectorOptions{TLS: true, HTTP2: true})
	tr, req := open(t, cfg, profiles.Request{Path: "/"})
	wait := func(n int64) {
		t.Helper()
		limit := time.After(patience)
		for s := tr.Stats(); s.Open != n || s.Idle != n; s = tr.Stats() {
			select {
			case <-limit:
				t.Fatalf("holds %+v, want %d", s, n)
			case <-time.After(time.Millisecond):
			}
		}
	}
	tr.Hold(10)
	wait(10)
	used := make(map[uint64]bool)
	for range 10 {
		var a attack.Attempt
		tr.Do(req, &a)
		used[a.Conn.ID] = true
	}
	if len(used) != 10 {
		t.Errorf("10 requests used %d connections", len(used))
	}
	tr.Hold(3)
	wait(3)
}

func TestStreamsAbort(t *testing.T) {
	_, cfg := injector(t, fault.InjectorOptions{HTTP2: true, Hold: time.Hour})
	cfg.Client.Timeout = 0
	tr, req := open(t, cfg, profiles.Request{Path: "/"})
	var a attack.Attempt
	done := make(chan bool)
	go func() {
		tr.Do(req, &a)
		close(done)
	}()
	rest(20 * time.Millisecond)
	tr.Abort()
	<-done
	if a.Fault != attack.Canceled {
		t.Errorf("%+v", a)
	}
	tr.Close()
}
