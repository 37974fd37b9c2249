// Package wire is the connection-level HTTP client under the load: it owns its
// connections, so that every attempt knows the one it used, and hides nothing.
// It never sends a request twice, never races dials, follows no redirect, and
// decodes no body. Each RST is counted once for its connection, whether an
// attempt met it or nobody was reading (see [Transport]).
//
// HTTP/1.1 is this package's own, without allocation on the steady path; HTTP/2
// is golang.org/x/net/http2 over the same connections. Linux tells most: idle
// connections are watched, a RST behind a FIN is seen, and failures carry
// TCP_INFO. Elsewhere idle connections are looked at twice a second and before
// reuse, and a RST behind a FIN stays unseen.
//
// It is not a general HTTP client: responses are read and thrown away, and there
// are no cookies, caches, redirects or retries.
package wire
