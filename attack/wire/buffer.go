package wire

import "sync"

var buffers = sync.Pool{New: func() any {
	b := make([]byte, readBufferSize)
	return &b
}}

func getBuffer() []byte { return *buffers.Get().(*[]byte) }

// putBuffer takes a buffer back; those that grew are left to the collector.
func putBuffer(b []byte) {
	if cap(b) == readBufferSize {
		b = b[:readBufferSize]
		buffers.Put(&b)
	}
}
