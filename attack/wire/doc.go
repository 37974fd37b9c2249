// Package wire is the connection-level HTTP client under the load: it owns its
// connections, so that every attempt knows the one it used, and hides nothing.
// It never sends a request twice, never races dials, follows no redirect, and
// decodes no body. Each RST is counted once for its connection, whether an
// attempt met it or nobody was reading (see [Transport]).
//
// # Protocols
//
// The connection layer knows bytes and connections: it resolves, dials, makes the
// TLS handshake, pools, watches idle connections, counts every RST once and
// classifies errors. A protocol is an [Exchanger] on it, given by Config.Exchange:
//
//   - Compile encodes a request once; what it returns comes back in Session.Do.
//   - Start makes the [Session] of a new connection. Logging in belongs here.
//   - Session.Do makes one attempt with [Conn.Exchange], [Conn.Read] and
//     [Conn.Write], which end at the attempt's deadline, and ends it with
//     [Conn.Succeed] or [Conn.Fail]. What the peer said in words of the protocol is
//     a [Failed]; what the socket said is found out by Fail. The [Outcome] says
//     whether the connection may serve again.
//   - A session with a reader of its own is [Multiplexed]: many attempts on one
//     connection (HTTP/2, gRPC), or one that hears from its peer while nobody asks
//     (WebSocket, subscriptions), with a Room of 1. Its reader ends with
//     [Conn.Ended], tells of more or less room with [Conn.RoomChanged], and a GOAWAY
//     makes Closing true. Flow control is the protocol's own. No method of a session
//     but Do may wait for the peer, for they are called under the pool's lock; and
//     RoomChanged and Ended must not be called from within one of them.
//   - A connection that is held and has not been asked anything belongs to the
//     connection layer: a RST or FIN on it is reported without the exchanger. Bytes
//     on it are a violation unless the session is multiplexed.
//
// HTTP is what is spoken without Config.Exchange: HTTP/1.1 without allocation on
// the steady path, and golang.org/x/net/http2, both as sessions. Linux tells most: idle
// connections are watched, a RST behind a FIN is seen, and failures carry
// TCP_INFO. Elsewhere idle connections are looked at twice a second and before
// reuse, and a RST behind a FIN stays unseen.
//
// It is not a general HTTP client: responses are read and thrown away, and there
// are no cookies, caches, redirects or retries.
package wire
