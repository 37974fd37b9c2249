// Package http2 is the client's side of HTTP/2 (RFC 9113): a state machine for
// one connection over a stream of bytes. It frames with the Framer and the
// header compression of golang.org/x/net/http2, and uses nothing of that
// package's client.
//
// A [Conn] has two goroutines, one that reads and one that writes, whatever the
// number of streams. Its lock is never held while a socket is written to or read
// from: a peer that stops reading fills a bounded queue, and holds up neither the
// streams of other connections nor the time limits of its own.
//
// A [Stream] is one request and its response. [Exchange] makes the usual one:
// a request that is known whole, and a response that is read and thrown away. A
// protocol that sends and receives in pieces implements [Handler] itself.
//
// What the peer may do is bounded: the size of a header block, frames that carry
// nothing (see flood.go), what waits to be written. Nothing is ever logged.
//
// The package knows nothing of sockets, pools and retries: they belong to the
// connection layer.
package http2
