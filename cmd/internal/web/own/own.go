// Package own listens for whoever reads a run while it goes on: on this machine's loopback
// unless told otherwise, and there under this machine's own names only.
package own

import (
	"fmt"
	"net"
	"net/http"
	"strings"
)

// Listen listens on an address; one without a host, such as ":8089", is of this machine's
// loopback. The error says for whom, and which address cannot be listened on.
func Listen(addr, whom string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("read address %q: %w; write :PORT for this machine, or HOST:PORT", addr, err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", whom, err)
	}
	return l, nil
}

// Alone reports whether only this machine can reach a listener.
func Alone(l net.Listener) bool {
	at, ok := l.Addr().(*net.TCPAddr)
	return ok && at.IP.IsLoopback()
}

// Names reports whether a request names this machine itself. Any web page in a browser can
// ask a loopback address under a name that it has pointed there.
func Names(r *http.Request) bool {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
