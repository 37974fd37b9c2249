package fault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// streams is the HTTP/2 side of one connection. Requests are read by one
// goroutine; each response has its own, so that Hold does not serialise them.
type streams struct {
	in     *Injector
	s      *session
	framer *http2.Framer

	mu      sync.Mutex // guards what follows, and writing
	windows sync.Cond  // a send window grew, or the connection ended
	enc     *hpack.Encoder
	block   bytes.Buffer
	conn    int64            // send window of the connection
	stream  map[uint32]int64 // send windows of open streams
	bodies  map[uint32]bool  // open streams whose response has a body: not HEAD
	initial int64
	active  int
	served  bool
	ended   time.Time // end of the last stream
	rested  bool      // this rest was an opportunity already
	done    bool
}

func (injector *Injector) serveHTTP2(s *session) {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(s.in, preface); err != nil || string(preface) != http2.ClientPreface {
		return
	}
	h := &streams{
		in: injector, s: s, framer: http2.NewFramer(s.stream, s.in),
		conn: 65535, initial: 65535, stream: make(map[uint32]int64),
		bodies: make(map[uint32]bool),
	}
	h.windows.L = &h.mu
	h.enc = hpack.NewEncoder(&h.block)
	h.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := h.framer.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1000}); err != nil {
		return
	}
	var responses sync.WaitGroup
	defer func() {
		h.mu.Lock()
		h.done = true
		h.windows.Broadcast()
		h.mu.Unlock()
		s.stream.Close()
		responses.Wait()
	}()
	requests := 0
	for h.awaitFrame() {
		f, err := h.framer.ReadFrame()
		if err != nil {
			return
		}
		ended := uint32(0)
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			h.mu.Lock()
			h.stream[f.StreamID] = h.initial
			h.bodies[f.StreamID] = f.PseudoValue("method") != http.MethodHead
			h.active++
			h.mu.Unlock()
			if f.StreamEnded() {
				ended = f.StreamID
			}
		case *http2.DataFrame:
			h.mu.Lock()
			if n := f.Header().Length; n > 0 {
				h.framer.WriteWindowUpdate(0, n)
				if !f.StreamEnded() {
					h.framer.WriteWindowUpdate(f.StreamID, n)
				}
			}
			h.mu.Unlock()
			if f.StreamEnded() {
				ended = f.StreamID
			}
		case *http2.SettingsFrame:
			if !f.IsAck() {
				h.settings(f)
			}
		case *http2.WindowUpdateFrame:
			h.mu.Lock()
			if f.StreamID == 0 {
				h.conn += int64(f.Increment)
			} else if w, ok := h.stream[f.StreamID]; ok {
				h.stream[f.StreamID] = w + int64(f.Increment)
			}
			h.windows.Broadcast()
			h.mu.Unlock()
		case *http2.RSTStreamFrame:
			h.end(f.StreamID)
		case *http2.PingFrame:
			if !f.IsAck() {
				h.mu.Lock()
				h.framer.WritePing(true, f.Data)
				h.mu.Unlock()
			}
		}
		if ended != 0 {
			injector.requests.Add(1)
			reused := requests > 0
			requests++
			responses.Go(func() { h.respond(ended, reused) })
		}
	}
}

// awaitFrame waits for the next frame and reports false when there is none. With
// place Idle it resets a connection that has served and had no open stream for
// Delay.
func (h *streams) awaitFrame() bool {
	if h.in.opts.Place != Idle {
		_, err := h.s.in.Peek(1)
		return err == nil
	}
	for {
		h.mu.Lock()
		wait := h.in.opts.Delay
		resting := h.active == 0 && h.served && !h.rested
		if resting {
			wait -= time.Since(h.ended)
		}
		h.mu.Unlock()
		if resting && wait <= 0 && h.s.in.Buffered() == 0 && Unread(h.s.tcp) == 0 {
			h.mu.Lock()
			h.rested = true
			taken := h.in.take(Idle)
			if taken {
				h.reset(Idle)
			}
			h.mu.Unlock()
			if taken {
				return false
			}
			continue
		}
		h.s.stream.SetReadDeadline(time.Now().Add(max(wait, time.Millisecond)))
		_, err := h.s.in.Peek(1)
		h.s.stream.SetReadDeadline(time.Time{})
		var timeout net.Error
		if err == nil || !errors.As(err, &timeout) || !timeout.Timeout() {
			return err == nil
		}
	}
}

func (h *streams) settings(f *http2.SettingsFrame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if v, ok := f.Value(http2.SettingInitialWindowSize); ok {
		for id := range h.stream {
			h.stream[id] += int64(v) - h.initial
		}
		h.initial = int64(v)
		h.windows.Broadcast()
	}
	h.framer.WriteSettingsAck()
}

// end forgets a stream.
func (h *streams) end(id uint32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.stream[id]; ok {
		delete(h.stream, id)
		delete(h.bodies, id)
		h.active--
		h.served, h.rested, h.ended = true, false, time.Now()
		h.windows.Broadcast()
	}
}

// respond answers a stream or does to it what the place says.
func (h *streams) respond(id uint32, reused bool) {
	in := h.in
	if !pause(in.ctx, in.opts.Hold) {
		return
	}
	defer h.end(id)
	before := BeforeResponseFresh
	if reused {
		before = BeforeResponseReused
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done {
		return
	}
	switch {
	case in.take(before):
		h.reset(before)
		return
	case in.take(AfterFIN):
		h.s.tcp.CloseWrite()
		pause(in.ctx, in.opts.Delay)
		h.reset(AfterFIN)
		return
	case in.take(StreamReset):
		if h.framer.WriteRSTStream(id, http2.ErrCodeInternal) == nil {
			in.streams.Add(1)
			in.observe(h.s, StreamReset)
		}
		return
	case in.take(GoAway):
		// Last stream id 0 says that nothing was processed (RFC 9113 section 6.8).
		if h.framer.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil) == nil {
			in.goAways.Add(1)
			in.observe(h.s, GoAway)
		}
		h.s.tcp.CloseWrite()
		return
	}
	h.block.Reset()
	h.enc.WriteField(hpack.HeaderField{Name: ":status", Value: strconv.Itoa(in.opts.Status)})
	kind := "text/plain"
	if in.opts.GRPC {
		kind = "application/grpc"
	}
	h.enc.WriteField(hpack.HeaderField{Name: "content-type", Value: kind})
	var body []byte
	switch {
	case in.opts.GRPC:
		body = grpcMessage(in.opts.BodySize)
	case h.bodies[id] && bodyAllowed(in.opts.Status):
		body = bytes.Repeat([]byte("x"), in.opts.BodySize)
	}
	if h.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: h.block.Bytes(), EndHeaders: true, EndStream: len(body) == 0,
	}) != nil {
		return
	}
	if len(body) > 1 && in.take(InBody) {
		if h.data(id, body[:len(body)/2], false) {
			h.reset(InBody)
		}
		return
	}
	if len(body) > 0 && !h.data(id, body, !in.opts.GRPC) {
		return
	}
	if in.opts.GRPC && !h.trailers(id) {
		return
	}
	in.responses.Add(1)
	if in.take(AfterResponse) {
		h.reset(AfterResponse)
	}
}

// grpcMessage is a message of one field of bytes, with its prefix.
func grpcMessage(size int) []byte {
	m := binary.AppendUvarint([]byte{0, 0, 0, 0, 0, 1<<3 | 2}, uint64(max(size, 0)))
	m = append(m, bytes.Repeat([]byte("x"), max(size, 0))...)
	binary.BigEndian.PutUint32(m[1:], uint32(len(m)-5))
	return m
}

// trailers ends a stream as gRPC does.
func (h *streams) trailers(id uint32) bool {
	h.block.Reset()
	h.enc.WriteField(hpack.HeaderField{Name: "grpc-status", Value: "0"})
	return h.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: h.block.Bytes(), EndHeaders: true, EndStream: true,
	}) == nil
}

// reset resets the connection unless another stream has done so already.
func (h *streams) reset(p Place) {
	if !h.done {
		h.done = true
		h.in.reset(h.s, p)
		h.windows.Broadcast()
	}
}

// data sends a body within the peer's windows (RFC 9113 section 5.2), and
// reports false when the connection or stream ended first.
func (h *streams) data(id uint32, body []byte, last bool) bool {
	const frame = 16384 // SETTINGS_MAX_FRAME_SIZE at least
	for {
		n := min(int64(len(body)), h.conn, h.stream[id], frame)
		if _, open := h.stream[id]; h.done || !open {
			return false
		}
		if n <= 0 {
			h.windows.Wait()
			continue
		}
		h.conn -= n
		h.stream[id] -= n
		if h.framer.WriteData(id, last && n == int64(len(body)), body[:n]) != nil {
			return false
		}
		if body = body[n:]; len(body) == 0 {
			return true
		}
	}
}
