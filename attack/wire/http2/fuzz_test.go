package http2

import (
	"bytes"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// script is a link whose peer says what is given once a request has come.
type script struct {
	mu      sync.Mutex
	changed sync.Cond
	in      *bytes.Reader
	wrote   int
	stopped bool
}

func newScript(b []byte) *script {
	s := &script{in: bytes.NewReader(b)}
	s.changed.L = &s.mu
	return s
}

func (s *script) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.wrote <= 100 && !s.stopped { // the preface is shorter
		s.changed.Wait()
	}
	if s.stopped {
		return 0, os.ErrDeadlineExceeded
	}
	return s.in.Read(p)
}

func (s *script) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrote += len(p)
	s.changed.Broadcast()
	return len(p), nil
}

func (s *script) Interrupt(after time.Duration) {
	if after > 0 {
		return // it never blocks a write
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.changed.Broadcast()
}

// FuzzServer feeds what a server may say. Every stream ends exactly once, and the
// connection with it.
func FuzzServer(f *testing.F) {
	add := func(write func(*http2.Framer, func(...string) []byte)) {
		var b, block bytes.Buffer
		enc := hpack.NewEncoder(&block)
		write(http2.NewFramer(&b, nil), func(fields ...string) []byte {
			block.Reset()
			for i := 0; i < len(fields); i += 2 {
				enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
			}
			return bytes.Clone(block.Bytes())
		})
		f.Add(b.Bytes())
	}
	add(func(f *http2.Framer, fields func(...string) []byte) {
		f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 5}, http2.Setting{ID: http2.SettingHeaderTableSize})
		f.WriteSettingsAck()
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields(":status", "103"), EndHeaders: true})
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields(":status", "200", "content-length", "3"), EndHeaders: true, PadLength: 7})
		f.WriteData(1, false, []byte("abc"))
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields("x", "y"), EndHeaders: true, EndStream: true})
		f.WriteWindowUpdate(3, 1000)
		f.WriteWindowUpdate(0, 1000)
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: nil, EndStream: true})
		f.WriteContinuation(3, true, fields(":status", "204"))
		f.WritePing(false, [8]byte{1})
		f.WriteRSTStream(5, http2.ErrCodeRefusedStream)
		f.WriteGoAway(5, http2.ErrCodeNo, []byte("bye"))
	})
	add(func(f *http2.Framer, _ func(...string) []byte) {
		f.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		f.WritePriority(1, http2.PriorityParam{StreamDep: 3})
		f.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, EndHeaders: true})
	})
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := NewConn(newScript(b), Config{})
		var xs []*Exchange
		for i := range 4 {
			x := NewExchange(nil)
			x.Block, x.Deadline, x.NoBody = get, Never, i == 3
			if c.Start(&x.Stream, make([]byte, i*100), true) == nil {
				xs = append(xs, x)
			}
		}
		for _, x := range xs {
			<-x.done
			if x.err == nil && (x.Status < 200 || x.Status > 999) {
				t.Errorf("status %d", x.Status)
			}
		}
		c.Abort()
		<-c.Done()
		if c.open.n != 0 || c.waiting.n != 0 || c.senders.n != 0 || c.streams.n != 0 {
			t.Errorf("left: %d open, %d waiting, %d senders, %d in the table", c.open.n, c.waiting.n, c.senders.n, c.streams.n)
		}
		if cap(c.out.queue) > 2*hardQueue || len(c.in.head.fields) > maxHeaderBytes/32 {
			t.Errorf("%d bytes wait, %d fields", cap(c.out.queue), len(c.in.head.fields))
		}
		for _, x := range xs {
			if len(x.done) != 0 {
				t.Error("a stream ended twice")
			}
		}
	})
}

// FuzzHeaderBlock decodes a header block in two pieces. What is taken for well
// formed has a status, names in lower case and no line ends.
func FuzzHeaderBlock(f *testing.F) {
	for _, fields := range [][]string{
		{":status", "200", "content-length", "12", "set-cookie", "a=b"},
		{":status", "099"},
		{"a", "b", ":status", "200"},
		{":status", "200", "A", "b"},
		{":path", "/"},
	} {
		var b Block
		for i := 0; i < len(fields); i += 2 {
			b.Add(fields[i], fields[i+1])
		}
		f.Add(b.Bytes(), 3)
	}
	f.Add([]byte("\x3f\xe1\x1f\x88\x40\x01a\x01b\xbe\xbe"), 4)
	f.Fuzz(func(t *testing.T, b []byte, at int) {
		c := &Conn{}
		c.in.init(c)
		c.in.head.begin(1, false)
		at = min(max(at, 0), len(b))
		err := c.in.decode(b[:at], false)
		if err == nil {
			err = c.in.decode(b[at:], true)
		}
		if err != nil || c.in.head.bad != 0 {
			return
		}
		if c.in.head.pseudo && (c.in.head.status < 100 || c.in.head.status > 999) {
			t.Errorf("status %d", c.in.head.status)
		}
		for _, f := range c.in.head.fields {
			if f.Name == "" || bytes.ContainsAny([]byte(f.Name), "ABCXYZ :\r\n") || bytes.ContainsAny([]byte(f.Value), "\r\n\x00") {
				t.Errorf("field %q: %q", f.Name, f.Value)
			}
		}
	})
}

// FuzzBlock encodes fields and reads them back.
func FuzzBlock(f *testing.F) {
	f.Add("x-name", "value", 5)
	f.Add(":path", "/", -1)
	f.Fuzz(func(t *testing.T, name, value string, length int) {
		if name == "" {
			return
		}
		var b Block
		b.Add(name, value)
		at := b.AddFixed(name, value)
		out := AppendLength(bytes.Clone(b.Bytes()), max(length, 0))
		if string(out[at:at+len(value)]) != value {
			t.Errorf("the value is not at %d", at)
		}
		fields, err := hpack.NewDecoder(0, nil).DecodeFull(out)
		if err != nil || len(fields) != 3 || fields[0].Value != value || fields[1].Value != value ||
			fields[0].Name != fields[1].Name || fields[2].Name != "content-length" {
			t.Errorf("%v, %v", fields, err)
		}
	})
}
