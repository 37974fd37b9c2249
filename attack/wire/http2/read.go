package http2

import (
	"bufio"
	"errors"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// reader reads what the peer sends, and handles one frame after the other. Its fields
// belong to its goroutine.
type reader struct {
	c       *Conn
	framer  *http2.Framer
	src     source
	decoder *hpack.Decoder
	head    head // the header block being read
}

func (reader *reader) init(c *Conn) {
	reader.c, reader.src.c = c, c
	reader.framer = http2.NewFramer(nil, bufio.NewReaderSize(&reader.src, readBuffer))
	reader.framer.SetReuseFrames()
	reader.framer.SetMaxReadFrameSize(frameSize)
	reader.decoder = hpack.NewDecoder(4096, reader.head.field)
	reader.decoder.SetMaxStringLength(maxHeaderBytes)
}

// source reads from the link and keeps the error as it was.
type source struct {
	c   *Conn
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.c.link.Read(p)
	if n > 0 {
		s.c.life.lastRead.Store(int64(s.c.cfg.Clock()))
	}
	if err != nil {
		s.err = err
	}
	return n, err
}

// read is the reader's goroutine.
func (reader *reader) read() {
	c := reader.c
	err := reader.readFrames()
	var bad *MalformedError
	if reader.src.err != nil && !errors.As(err, &bad) {
		err = reader.src.err
	}
	c.die(err)
}

// readFrames handles frames until the connection ends. Its error is of the link,
// or a *MalformedError.
func (reader *reader) readFrames() error {
	for first := true; ; first = false {
		fh, err := reader.framer.ReadFrameHeader()
		switch {
		case err == nil:
		case reader.src.err != nil && !errors.Is(err, http2.ErrFrameTooLarge):
			return reader.src.err
		case first:
			return malformed(NotHTTP2, http2.ErrCodeProtocol)
		case errors.Is(err, http2.ErrFrameTooLarge):
			return malformed(FrameSize, http2.ErrCodeFrameSize)
		default: // the order of frames
			return malformed(HeaderOrder, http2.ErrCodeProtocol)
		}
		if first && (fh.Type != http2.FrameSettings || fh.Flags.Has(http2.FlagSettingsAck)) {
			return malformed(NotHTTP2, http2.ErrCodeProtocol)
		}
		f, err := reader.framer.ReadFrameForHeader(fh)
		if err != nil {
			if err = reader.parseError(fh, err); err != nil {
				return err
			}
			continue
		}
		if err := reader.frame(fh, f); err != nil {
			return err
		}
	}
}

// parseError returns the end of the connection that a frame which could not be
// parsed is; nil if it is the end of its stream only.
func (reader *reader) parseError(fh http2.FrameHeader, err error) error {
	c := reader.c
	var stream http2.StreamError
	var conn http2.ConnectionError
	switch {
	case errors.As(err, &stream) && fh.Type == http2.FrameWindowUpdate:
		c.mu.Lock()
		defer c.mu.Unlock()
		if s := c.streams.find(fh.StreamID); s != nil {
			c.streamFailed(s, malformed(WindowFrame, stream.Code))
		}
		return reader.useless(1)
	case errors.As(err, &stream) && fh.Type == http2.FramePriority:
		c.mu.Lock()
		defer c.mu.Unlock()
		return reader.useless(1)
	case errors.As(err, &stream): // headers that are not decoded spoil all that follow
		return malformed(frameKind(fh.Type), stream.Code)
	case errors.As(err, &conn):
		what := frameKind(fh.Type)
		if http2.ErrCode(conn) == http2.ErrCodeFrameSize {
			what = FrameSize
		}
		return malformed(what, http2.ErrCode(conn))
	case reader.src.err != nil:
		return reader.src.err
	}
	return malformed(FrameSize, http2.ErrCodeFrameSize) // too short for what it must hold
}

func frameKind(t http2.FrameType) Malformed {
	switch t {
	case http2.FrameData:
		return DataFrame
	case http2.FrameHeaders:
		return HeadersFrame
	case http2.FramePriority:
		return PriorityFrame
	case http2.FrameRSTStream:
		return ResetFrame
	case http2.FrameSettings:
		return SettingsFrame
	case http2.FramePushPromise:
		return PushFrame
	case http2.FramePing:
		return PingFrame
	case http2.FrameGoAway:
		return GoAwayFrame
	case http2.FrameWindowUpdate:
		return WindowFrame
	case http2.FrameContinuation:
		return HeaderOrder
	}
	return FrameSize
}

// frame handles one frame.
func (reader *reader) frame(fh http2.FrameHeader, f http2.Frame) error {
	c := reader.c
	// Header blocks are decoded without the lock.
	switch f := f.(type) {
	case *http2.HeadersFrame:
		reader.head.begin(fh.StreamID, f.StreamEnded())
		if err := reader.decode(f.HeaderBlockFragment(), f.HeadersEnded()); err != nil || reader.head.open {
			return err
		}
	case *http2.ContinuationFrame:
		if len(f.HeaderBlockFragment()) == 0 {
			if reader.head.empty++; reader.head.empty > 16 {
				return malformed(Flood, http2.ErrCodeEnhanceYourCalm)
			}
		}
		if err := reader.decode(f.HeaderBlockFragment(), f.HeadersEnded()); err != nil || reader.head.open {
			return err
		}
	}
	c.mu.Lock()
	trusted := c.life.suspect != Never && !c.closing
	if trusted {
		c.life.suspect = Never // it lives
		c.updateRoom()
	}
	room := c.room.Load()
	err := reader.handle(fh, f)
	if trusted && err == nil {
		c.pump()
	}
	if len(c.out.queue) > hardQueue && err == nil {
		err = malformed(Flood, http2.ErrCodeEnhanceYourCalm)
	}
	changed := trusted || c.room.Load() != room
	c.mu.Unlock()
	if changed {
		c.changed()
	}
	return err
}

// decode decodes a piece of a header block.
func (reader *reader) decode(p []byte, last bool) error {
	h := &reader.head
	if h.encoded += len(p); h.encoded > maxHeaderBytes {
		return malformed(HeaderSize, http2.ErrCodeEnhanceYourCalm)
	}
	if _, err := reader.decoder.Write(p); err != nil {
		return malformed(HeaderBlock, http2.ErrCodeCompression)
	}
	if last {
		h.open = false
		if err := reader.decoder.Close(); err != nil {
			return malformed(HeaderBlock, http2.ErrCodeCompression)
		}
	}
	return nil
}

// useless counts frames without content. The lock is held.
func (reader *reader) useless(n int) error {
	c := reader.c
	if c.allowance.spend(n, c.cfg.Clock()) {
		return nil
	}
	return malformed(Flood, http2.ErrCodeEnhanceYourCalm)
}

// handle handles one frame. The lock is held.
func (reader *reader) handle(fh http2.FrameHeader, f http2.Frame) error {
	switch f := f.(type) {
	case *http2.HeadersFrame, *http2.ContinuationFrame:
		return reader.headersDone()
	case *http2.DataFrame:
		return reader.data(fh, f)
	case *http2.RSTStreamFrame:
		return reader.streamReset(f)
	case *http2.SettingsFrame:
		return reader.settings(f)
	case *http2.PingFrame:
		return reader.pong(f)
	case *http2.GoAwayFrame:
		return reader.goneAway(f)
	case *http2.WindowUpdateFrame:
		return reader.windowUpdate(f)
	case *http2.PushPromiseFrame:
		return malformed(PushFrame, http2.ErrCodeProtocol)
	}
	return reader.useless(1 + int(fh.Length)/1024)
}

// idle reports whether a stream was never opened.
func (reader *reader) idle(id uint32) bool { return id%2 == 0 || id >= reader.c.next }

// headersDone handles a header block that was decoded whole.
func (reader *reader) headersDone() error {
	c := reader.c
	h := &reader.head
	if reader.idle(h.stream) {
		return malformed(IdleStream, http2.ErrCodeProtocol)
	}
	s := c.streams.find(h.stream)
	if s == nil {
		return reader.useless(1)
	}
	if s.heads += h.size; s.heads > maxHeaderBytes {
		h.spoil(HeaderSize)
	}
	switch {
	case h.bad != 0:
	case s.gotHead:
		if h.pseudo {
			h.bad = PseudoHeader
		} else if !h.end {
			h.bad = HeadersFrame
		}
	case !h.pseudo:
		h.bad = PseudoHeader
	case h.status < 200 && h.end:
		h.bad = HeadersFrame
	}
	if h.bad != 0 {
		code := http2.ErrCodeProtocol
		if h.bad == HeaderSize {
			code = http2.ErrCodeEnhanceYourCalm
		}
		c.streamFailed(s, malformed(h.bad, code))
		return reader.useless(1)
	}
	c.allowance.earn()
	switch {
	case s.gotHead:
		s.Handler.Trailer(h.fields)
	case h.status < 200:
		s.Handler.Head(h.status, h.fields)
		if h.status == 100 && s.holdUntil != Never {
			c.unhold(s)
			c.pump()
		}
		return reader.useless(allowanceEach + 1)
	default:
		s.gotHead, s.Status = true, h.status
		if h.hasLength {
			s.length = h.length
		}
		s.Handler.Head(h.status, h.fields)
	}
	if h.end {
		reader.responseDone(s)
	}
	return nil
}

// bodyless reports whether the response of a stream has no body (RFC 9110 §6.4.1).
func (s *Stream) bodyless() bool { return s.NoBody || s.Status == 204 || s.Status == 304 }

// responseDone ends a stream whose response is complete.
func (reader *reader) responseDone(s *Stream) {
	c := reader.c
	if s.length >= 0 && s.received != s.length && !s.bodyless() {
		c.streamFailed(s, malformed(ContentLength, http2.ErrCodeProtocol))
		return
	}
	if s.sentEnd {
		c.finish(s, nil)
	} else { // an early answer: the rest of the body is not sent
		c.abandon(s, nil, noCode)
	}
	if c.waiting.head != nil {
		c.pump()
	}
}

func (reader *reader) data(fh http2.FrameHeader, f *http2.DataFrame) error {
	c := reader.c
	if reader.idle(fh.StreamID) {
		return malformed(IdleStream, http2.ErrCodeProtocol)
	}
	length := int64(fh.Length) // padding counts
	if c.recvWindow -= length; c.recvWindow < 0 {
		return malformed(FlowControl, http2.ErrCodeFlowControl)
	}
	if c.recvWindow < connWindow/2 {
		_ = c.out.control.WriteWindowUpdate(0, uint32(connWindow-c.recvWindow))
		c.recvWindow = connWindow
		c.out.kick()
	}
	s := c.streams.find(fh.StreamID)
	if s == nil {
		if length < 256 {
			return reader.useless(1)
		}
		return nil // sent before it knew that we reset the stream: the window bounds it
	}
	p := f.Data()
	s.received += int64(len(p))
	switch s.recvWindow -= length; {
	case s.recvWindow < 0:
		c.streamFailed(s, malformed(FlowControl, http2.ErrCodeFlowControl))
		return nil
	case !s.gotHead:
		c.streamFailed(s, malformed(DataFrame, http2.ErrCodeProtocol))
		return nil
	case len(p) > 0 && s.bodyless():
		c.streamFailed(s, malformed(UnexpectedBody, http2.ErrCodeProtocol))
		return nil
	case s.length >= 0 && s.received > s.length:
		c.streamFailed(s, malformed(ContentLength, http2.ErrCodeProtocol))
		return nil
	}
	if len(p) > 0 {
		c.allowance.earn()
		s.Handler.Data(p)
	}
	if f.StreamEnded() {
		reader.responseDone(s)
		return nil
	}
	s.eaten += length
	if s.Manual {
		s.eaten -= int64(len(p)) // the padding is consumed
	}
	c.giveWindow(s)
	if len(p) == 0 {
		return reader.useless(1)
	}
	return nil
}

func (reader *reader) streamReset(f *http2.RSTStreamFrame) error {
	c := reader.c
	if reader.idle(f.StreamID) {
		return malformed(IdleStream, http2.ErrCodeProtocol)
	}
	s := c.streams.find(f.StreamID)
	if s == nil {
		return reader.useless(1)
	}
	c.finish(s, &ResetError{f.ErrCode})
	c.pump()
	return nil
}
