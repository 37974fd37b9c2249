package http2

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/rampload/rampload/attack"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// tcpLink is a link over a TCP connection.
type tcpLink struct{ net.Conn }

func (l tcpLink) Interrupt(after time.Duration) { l.SetDeadline(time.Now().Add(after)) }

// pair returns both ends of a TCP connection.
func pair(t testing.TB) (client, server *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// peer is the server's end of a connection, played by a test.
type peer struct {
	*http2.Framer
	conn *net.TCPConn
	enc  *hpack.Encoder
	buf  bytes.Buffer
	t    testing.TB
}

// play connects a Conn with a peer, whose preface it has read and to whom it has
// sent the settings.
func play(t testing.TB, cfg Config, settings ...http2.Setting) (*Conn, *peer) {
	t.Helper()
	client, server := pair(t)
	c := NewConn(tcpLink{client}, cfg)
	t.Cleanup(c.Abort)
	p := &peer{Framer: http2.NewFramer(server, server), conn: server, t: t}
	p.enc = hpack.NewEncoder(&p.buf)
	p.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	server.SetDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(server, make([]byte, len(http2.ClientPreface))); err != nil {
		t.Fatal(err)
	}
	p.WriteSettings(settings...)
	return c, p
}

// request reads frames until a request is complete, and returns its headers.
func (p *peer) request() *http2.MetaHeadersFrame {
	var head *http2.MetaHeadersFrame
	for {
		f, err := p.ReadFrame()
		if err != nil {
			p.t.Errorf("read request: %v", err)
			return &http2.MetaHeadersFrame{HeadersFrame: &http2.HeadersFrame{}}
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			head = f
			if f.StreamEnded() {
				return f
			}
		case *http2.DataFrame:
			if f.StreamEnded() {
				return head
			}
		}
	}
}

// await reads frames until one is of a kind.
func await[F http2.Frame](p *peer) F {
	for {
		f, err := p.ReadFrame()
		if err != nil {
			p.t.Errorf("await %T: %v", *new(F), err)
			return *new(F)
		}
		if f, ok := f.(F); ok {
			return f
		}
	}
}

// settled waits until the other side has taken the settings.
func (p *peer) settled() {
	for f := await[*http2.SettingsFrame](p); f != nil && !f.IsAck(); f = await[*http2.SettingsFrame](p) {
	}
}

// block encodes fields: name, value, name, value ...
func (p *peer) block(fields ...string) []byte {
	p.buf.Reset()
	for i := 0; i < len(fields); i += 2 {
		p.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return bytes.Clone(p.buf.Bytes())
}

func (p *peer) headers(id uint32, end bool, fields ...string) {
	p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.block(fields...), EndHeaders: true, EndStream: end})
}

func block(fields ...string) []byte {
	var b Block
	for i := 0; i < len(fields); i += 2 {
		b.Add(fields[i], fields[i+1])
	}
	return b.Bytes()
}

var get = block(":method", "GET", ":scheme", "http", ":path", "/", ":authority", "localhost")

// begin starts a request and returns where its end comes.
func begin(c *Conn, set func(*Exchange), body string) (*Exchange, chan error) {
	x := NewExchange(nil)
	x.Block, x.Deadline = get, Never
	if set != nil {
		set(x)
	}
	out := make(chan error, 1)
	if err := c.Start(&x.Stream, []byte(body), true); err != nil {
		out <- err
		return x, out
	}
	go func() {
		<-x.done
		out <- x.err
	}()
	return x, out
}

func end(t testing.TB, out chan error) error {
	t.Helper()
	select {
	case err := <-out:
		return err
	case <-time.After(patience):
		t.Fatal("the stream did not end")
		return nil
	}
}

// goServer serves a connection as net/http does.
func goServer(t testing.TB, h http.HandlerFunc) *Conn {
	client, server := pair(t)
	go (&http2.Server{}).ServeConn(server, &http2.ServeConnOpts{Handler: h})
	c := NewConn(tcpLink{client}, Config{})
	t.Cleanup(c.Abort)
	return c
}

func TestExchange(t *testing.T) {
	var got sync.Map
	c := goServer(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got.Store(r.Method+" "+r.URL.Path, r.Header.Get("X-A")+" "+r.Host+" "+http.StatusText(len(b)%600))
		w.Header().Set("Trailer", "X-T")
		if r.URL.Path == "/204" {
			w.WriteHeader(204)
			return
		}
		w.WriteHeader(103)
		w.Write(bytes.Repeat([]byte("y"), 3<<20))
		w.Header().Set("X-T", "v")
	})
	for _, r := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/", "", 200},
		{"POST", "/", strings.Repeat("x", 5<<20), 200},
		{"HEAD", "/", "", 200},
		{"GET", "/204", "", 204},
	} {
		x, out := begin(c, func(x *Exchange) {
			x.NoBody = r.method == "HEAD"
			x.Block = block(":method", r.method, ":scheme", "http", ":path", r.path, ":authority", "host", "X-A", "value")
		}, r.body)
		if err := end(t, out); err != nil || x.Status != r.status || x.Phase != attack.PhaseDone {
			t.Errorf("%s %s: %v, status %d, phase %v", r.method, r.path, err, x.Status, x.Phase)
		}
		if v, _ := got.Load(r.method + " " + r.path); v != "value host "+http.StatusText(len(r.body)%600) {
			t.Errorf("%s %s: the server got %q", r.method, r.path, v)
		}
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			_, out := begin(c, nil, strings.Repeat("z", 200<<10))
			if err := end(t, out); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestBlock: what is encoded once is what a decoder reads, and AddFixed says where
// a value is.
func TestBlock(t *testing.T) {
	var b Block
	b.Add(":method", "PATCH")
	at := b.AddFixed("X-Id", "0123456789")
	b.Add("Accept", "*/*")
	b.Add("long", strings.Repeat("v", 1000))
	out := AppendLength(bytes.Clone(b.Bytes()), 1234567)
	copy(out[at:], "abcdefghij")
	fields, err := hpack.NewDecoder(0, nil).DecodeFull(out)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{":method", "PATCH", "x-id", "abcdefghij", "accept", "*/*", "long", strings.Repeat("v", 1000), "content-length", "1234567"}
	var got []string
	for _, f := range fields {
		got = append(got, f.Name, f.Value)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q", got)
	}
}

// TestLongHeaders: a block longer than a frame goes on in CONTINUATIONs.
func TestLongHeaders(t *testing.T) {
	c, p := play(t, Config{})
	long := strings.Repeat("~", 50<<10)
	x, out := begin(c, func(x *Exchange) { x.Block = block(":method", "GET", ":scheme", "http", ":path", "/", "x", long) }, "")
	f := p.request()
	if v := f.RegularFields(); len(v) != 1 || v[0].Value != long {
		t.Errorf("%d fields", len(v))
	}
	p.headers(f.StreamID, true, ":status", "200")
	if err := end(t, out); err != nil || x.Status != 200 {
		t.Errorf("%v, %d", err, x.Status)
	}
}

// TestTableSize: a peer that wants a smaller header table is told that it has it.
func TestTableSize(t *testing.T) {
	c, p := play(t, Config{}, http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0})
	p.settled()
	p.ReadMetaHeaders = nil
	begin(c, nil, "")
	if b := await[*http2.HeadersFrame](p).HeaderBlockFragment(); b[0] != 0x20 {
		t.Errorf("the block begins with %#x", b[0])
	}
	begin(c, nil, "")
	if b := await[*http2.HeadersFrame](p).HeaderBlockFragment(); b[0] == 0x20 {
		t.Errorf("the size is told again")
	}
}

// TestPeerEnds: what a peer may say of a stream or a connection comes out as it
// said it.
func TestPeerEnds(t *testing.T) {
	t.Run("reset", func(t *testing.T) {
		c, p := play(t, Config{})
		for _, code := range []Code{http2.ErrCodeRefusedStream, http2.ErrCodeNo, http2.ErrCodeInternal, 77} {
			x, out := begin(c, nil, "")
			p.WriteRSTStream(p.request().StreamID, code)
			var reset *ResetError
			if err := end(t, out); !errors.As(err, &reset) || reset.Code != code || x.Phase != attack.PhaseAwait {
				t.Errorf("%v in %v", err, x.Phase)
			}
		}
	})
	t.Run("goaway", func(t *testing.T) {
		c, p := play(t, Config{})
		var outs [3]chan error
		var ids [3]uint32
		for i := range outs {
			_, outs[i] = begin(c, nil, "")
			ids[i] = p.request().StreamID
		}
		p.WriteGoAway(ids[0], http2.ErrCodeEnhanceYourCalm, nil)
		for _, out := range outs[1:] {
			var away *GoAwayError
			if err := end(t, out); !errors.As(err, &away) || away.Code != http2.ErrCodeEnhanceYourCalm || away.Last != ids[0] {
				t.Errorf("%v", err)
			}
		}
		if c.Room() != 0 || !c.Closing() {
			t.Error("it takes new streams")
		}
		if _, out := begin(c, nil, ""); !errors.Is(end(t, out), ErrNotSent) {
			t.Error("a stream was started")
		}
		p.headers(ids[0], true, ":status", "200")
		if err := end(t, outs[0]); err != nil {
			t.Errorf("the first: %v", err)
		}
	})
	t.Run("eof", func(t *testing.T) {
		c, p := play(t, Config{})
		x, out := begin(c, nil, "")
		p.request()
		p.conn.CloseWrite()
		if err := end(t, out); !errors.Is(err, io.EOF) || x.Phase != attack.PhaseAwait {
			t.Errorf("%v in %v", err, x.Phase)
		}
	})
	t.Run("rst", func(t *testing.T) {
		c, p := play(t, Config{})
		var outs []chan error
		for range 20 {
			_, out := begin(c, nil, "")
			outs = append(outs, out)
			p.request()
		}
		p.conn.SetLinger(0)
		p.conn.Close()
		for _, out := range outs {
			if err := end(t, out); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%v", err)
			}
		}
		if err := c.Err(); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the connection: %v", err)
		}
	})
	t.Run("rst on idle", func(t *testing.T) {
		c, p := play(t, Config{})
		p.conn.SetLinger(0)
		p.conn.Close()
		select {
		case <-c.Done():
		case <-time.After(patience):
			t.Fatal("it did not end")
		}
		if !errors.Is(c.Err(), syscall.ECONNRESET) && !errors.Is(c.Err(), syscall.EPIPE) {
			t.Errorf("%v", c.Err())
		}
	})
}

// TestInterim: interim responses come before the final one, trailers after it.
func TestInterim(t *testing.T) {
	c, p := play(t, Config{})
	x, out := begin(c, func(x *Exchange) { x.Hold = time.Hour }, "body")
	var id uint32
	for id == 0 {
		if f := await[*http2.MetaHeadersFrame](p); f.StreamEnded() {
			t.Fatal("the body did not wait")
		} else {
			id = f.StreamID
		}
	}
	p.headers(id, false, ":status", "103", "link", "x")
	p.headers(id, false, ":status", "100")
	if f := await[*http2.DataFrame](p); string(f.Data()) != "body" || !f.StreamEnded() {
		t.Errorf("%v", f)
	}
	p.headers(id, false, ":status", "200", "content-length", "3")
	p.WriteDataPadded(id, false, []byte("abc"), make([]byte, 100))
	p.headers(id, true, "x-trailer", "v")
	if err := end(t, out); err != nil || x.Status != 200 {
		t.Errorf("%v, %d", err, x.Status)
	}
	// Without a word the body goes after a while.
	_, out = begin(c, func(x *Exchange) { x.Hold = time.Millisecond }, "body")
	p.headers(p.request().StreamID, true, ":status", "200")
	if err := end(t, out); err != nil {
		t.Error(err)
	}
}

// TestEarlyAnswer: an answer that comes before the body is sent is complete, and
// the peer is told that no more of the body comes.
func TestEarlyAnswer(t *testing.T) {
	c, p := play(t, Config{})
	x, out := begin(c, nil, strings.Repeat("x", 1<<20)) // more than the window
	f := await[*http2.MetaHeadersFrame](p)
	p.headers(f.StreamID, true, ":status", "413")
	if err := end(t, out); err != nil || x.Status != 413 {
		t.Errorf("%v, %d", err, x.Status)
	}
	if f := await[*http2.RSTStreamFrame](p); f.ErrCode != http2.ErrCodeNo {
		t.Errorf("%v", f)
	}
}

// TestWindows: an upload goes as the windows of stream and connection grow, and
// what is read is given back.
func TestWindows(t *testing.T) {
	c, p := play(t, Config{}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
	p.settled()
	_, out := begin(c, nil, strings.Repeat("x", 100_000))
	id := await[*http2.MetaHeadersFrame](p).StreamID
	got := len(await[*http2.DataFrame](p).Data())
	if got != 10 {
		t.Fatalf("%d bytes in a window of 10", got)
	}
	p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	for got < defaultWindow {
		got += len(await[*http2.DataFrame](p).Data())
	}
	if got != defaultWindow {
		t.Fatalf("%d bytes in the connection's window", got)
	}
	p.WriteWindowUpdate(0, 1<<20)
	for {
		f := await[*http2.DataFrame](p)
		got += len(f.Data())
		if f.StreamEnded() {
			break
		}
	}
	if got != 100_000 {
		t.Errorf("%d bytes", got)
	}
	p.headers(id, false, ":status", "200")
	// More than a window comes back, because what has been read is given back.
	granted := streamWindow
	for sent := 0; sent < 3*streamWindow; {
		for ; sent < min(granted, 3*streamWindow); sent += frameSize {
			p.WriteData(id, false, make([]byte, frameSize))
		}
		if sent < 3*streamWindow {
			if w := await[*http2.WindowUpdateFrame](p); w != nil && w.StreamID == id {
				granted += int(w.Increment)
			}
		}
	}
	p.WriteData(id, true, nil)
	if err := end(t, out); err != nil {
		t.Error(err)
	}
}

// TestLimits: no more streams are open than the peer and the profile allow; those
// that wait go when there is room.
func TestLimits(t *testing.T) {
	c, p := play(t, Config{}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 2})
	p.settled()
	if c.Room() != 2 {
		t.Fatalf("room for %d", c.Room())
	}
	var outs []chan error
	for range 6 {
		_, out := begin(c, nil, "")
		outs = append(outs, out)
	}
	open := []uint32{p.request().StreamID, p.request().StreamID}
	for range 4 {
		p.headers(open[0], true, ":status", "200")
		open = append(open[1:], p.request().StreamID)
		if open[1] != open[0]+2 {
			t.Errorf("streams %v", open)
		}
	}
	for _, id := range open {
		p.headers(id, true, ":status", "200")
	}
	for _, out := range outs {
		if err := end(t, out); err != nil {
			t.Error(err)
		}
	}
	limited, _ := play(t, Config{MaxStreams: 3})
	if limited.Room() != 3 {
		t.Errorf("room for %d", limited.Room())
	}
}
