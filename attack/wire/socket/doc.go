// Package socket has the stream sockets of the connection layer: it opens them,
// reads and writes until a deadline, tells what the peer did to one that nobody
// reads (see [Fate]), and watches idle ones. On Linux sockets are opened by system
// calls of its own; elsewhere by net.Dialer, with less to tell.
//
// Errors are errnos, io.EOF and os.ErrDeadlineExceeded, not wrapped. It knows no
// TLS, no pool and no protocol, and judges nothing.
package socket
