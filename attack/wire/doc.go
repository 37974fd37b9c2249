// Package wire is the connection layer under the load: it resolves, dials, makes the
// TLS handshake, pools, watches idle connections, and classifies errors. It knows
// bytes and connections, and no protocol: an [Exchanger] speaks one on it.
//
// It owns its connections, so that every attempt knows the one it used, and hides
// nothing: it never sends a request twice and never races dials. Each RST is counted
// once for its connection, whether an attempt met it or nobody was reading (see
// [Transport]). Linux tells most: idle connections are watched, a RST behind a FIN is
// seen, and failures carry TCP_INFO. Elsewhere idle connections are looked at twice a
// second and before reuse, and a RST behind a FIN stays unseen.
//
// # Rooms
//
//   - classify: which fault an error is, and what the beginning of a session that failed
//     says. socket: sockets, and what happens to them. link: the bytes of a connection.
//     route: how a target is reached, from its URL. tunnel: through a proxy. queue: who
//     waits for a connection. agenda: when those to hold are opened, and in what order.
//     roster: which of many connections takes an attempt. They know nothing of this package.
//   - wire: connections and who may use them.
//   - message, http1, http2, http: HTTP. http1 is the example to follow for a protocol
//     with one attempt at a time on a connection, http for one that is multiplexed.
//   - protocol: which protocol a URL asks for. idle: how long connections live idle.
//
// # How to add a protocol
//
//  1. Make a package beside http1 with a [Protocol], a function from [Target] to an
//     [Exchanger]. Refuse there what of the target the protocol cannot do.
//  2. Offer says what is known before there is a connection: names for the TLS
//     handshake (ALPN), and whether sessions are multiplexed.
//  3. Compile encodes a request once; what it returns comes back in Session.Do, and
//     must not change. Package message has the header fields of an HTTP request, with
//     the ids that join our record with the target's logs.
//  4. Start makes the [Session] of a new connection. Logging in, or an upgrade of
//     HTTP/1.1, belongs here: reads and writes end at the attempt's deadline.
//  5. Session.Do makes one attempt with [Conn.Exchange], [Conn.Read] and
//     [Conn.Write], which end at the attempt's deadline, and ends it with
//     [Conn.Succeed] or [Conn.Fail]. What the peer said in words of the protocol is
//     a [Failed], or [Malformed]; what the socket said is found out by Fail, which
//     counts a RST once and lets it outrank the rest. The [Outcome] says whether the
//     connection may serve again.
//  6. A session with a reader of its own is [Multiplexed]: many attempts on one
//     connection (HTTP/2, gRPC), or one that hears from its peer while nobody asks
//     (WebSocket, subscriptions), with a Room of 1. Its Do ends attempts with
//     [Conn.FailStream]. Its reader ends with [Conn.Ended], tells of more or less room
//     with [Conn.RoomChanged], and a GOAWAY makes Closing true. Flow control is the
//     protocol's own. No method of a session but Do may wait for the peer, for they
//     are called under the pool's lock; and RoomChanged and Ended must not be called
//     from within one of them.
//  7. Name the URL's scheme in profiles.Schemes (port, TLS, proxy) and the protocol in
//     package protocol, and the package's imports in the test of the arrows. New
//     details of a fault have their place in attack.Detail.
//  8. Hold it against the suite of package wiretest, which every protocol has to pass,
//     and fuzz its decoder.
//
// A connection that is held and has not been asked anything belongs to this layer: a
// RST or FIN on it is reported without the exchanger. Bytes on it are a violation
// unless the session is multiplexed.
package wire
