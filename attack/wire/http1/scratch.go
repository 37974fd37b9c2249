package http1

import (
	"sync"

	"github.com/rampload/rampload/attack/wire/message"
)

// scratch is what an attempt over HTTP/1.1 needs while it is under way. Between
// attempts a connection has none: thousands of idle ones take no buffers, and busy
// ones share those that are warm.
type scratch struct {
	buf     []byte // input: buf[r:w] is not consumed
	r, w    int
	out     []byte   // the request as it is sent
	encoded *Request // what out holds, nil: nothing that may be used again
	closes  bool     // the request asks to close
	body    []byte   // a rendered template
	chunks  []byte   // the same in chunks
	rx      response // the response being read
	draft   message.Draft
}

// mostKept is the size of a request beyond which its memory is left to the
// collector.
const mostKept = 64 << 10

var scratches = sync.Pool{New: func() any { return &scratch{buf: make([]byte, readBufferSize)} }}

func getScratch() *scratch { return scratches.Get().(*scratch) }

// putScratch takes a scratch back. Nothing may use it any more.
func putScratch(s *scratch) {
	if len(s.buf) > readBufferSize || cap(s.out)+cap(s.body)+cap(s.chunks) > mostKept {
		return
	}
	scratches.Put(s)
}
