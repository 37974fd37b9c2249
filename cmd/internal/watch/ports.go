package watch

import (
	"net"
	"net/url"
	"slices"
	"strconv"

	"github.com/rampload/rampload/profiles"
)

// ListenPorts returns the ports that connections to a target go to, each once; none
// for a Unix socket.
func ListenPorts(t profiles.Target) []int {
	var out []int
	for _, base := range t.Bases() {
		if port := listenPort(t.Reached(base)); port != 0 && !slices.Contains(out, port) {
			out = append(out, port)
		}
	}
	return out
}

// listenPort returns the port that connections to the URL go to, 0 for a Unix
// socket.
func listenPort(raw string) int {
	u, err := url.Parse(raw)
	if err != nil {
		return 0
	}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		return port
	}
	scheme, _ := profiles.FindScheme(u.Scheme)
	return scheme.Port
}

// TargetHost returns the host name or address of a target's URL, empty for a
// Unix socket.
func TargetHost(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "unix" {
		return ""
	}
	return u.Hostname()
}

// LocalAddrs returns the addresses of this machine's interfaces.
func LocalAddrs() []string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []string
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			out = append(out, n.IP.String())
		}
	}
	return out
}
