package http2

import "golang.org/x/net/http2/hpack"

// Exchange makes a request whose body is known, and reads the response away. It
// is used again for one request after the other, and allocates nothing for them.
//
// The zero value is not usable: see [NewExchange].
type Exchange struct {
	Stream
	Block []byte // the encoded headers

	done chan struct{}
	err  error
}

// NewExchange returns an exchange whose stream is handled by h; nil: by itself. A
// type that embeds an Exchange gives itself, to write its own headers or to see
// the response, and leaves Sent and End to the Exchange.
func NewExchange(h Handler) *Exchange {
	x := &Exchange{}
	x.Init(h)
	return x
}

// Init makes an embedded Exchange usable.
func (x *Exchange) Init(h Handler) {
	x.done = make(chan struct{}, 1)
	x.Handler = h
	if h == nil {
		x.Handler = x
	}
}

// Do sends a request with a body and waits for its end, which comes at the
// Deadline at the latest. It returns what [Handler].End gets, or ErrNotSent.
func (x *Exchange) Do(c *Conn, body []byte) error {
	if err := c.Start(&x.Stream, body, true); err != nil {
		return err
	}
	<-x.done
	return x.err
}

// AppendHeaders implements [Handler].
func (x *Exchange) AppendHeaders(b []byte) []byte { return append(b, x.Block...) }

// Head implements [Handler].
func (x *Exchange) Head(int, []hpack.HeaderField) {}

// Data implements [Handler].
func (x *Exchange) Data([]byte) {}

// Trailer implements [Handler].
func (x *Exchange) Trailer([]hpack.HeaderField) {}

// Sent implements [Handler].
func (x *Exchange) Sent() {}

// End implements [Handler].
func (x *Exchange) End(err error) {
	x.err = err
	x.done <- struct{}{}
}
