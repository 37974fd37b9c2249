package traces

import (
	"net"
	"strconv"
	"strings"
)

// attributes are the tags of a span, by name, as text.
type attributes map[string]string

// first returns the first of several names that has a value.
func (a attributes) first(names ...string) string {
	for _, n := range names {
		if v := a[n]; v != "" {
			return v
		}
	}
	return ""
}

// peer returns whom a span asked: a service by its name, else an address (OpenTelemetry's
// conventions of now and of before 1.21, OpenTracing's, Zipkin's).
func (a attributes) peer() string {
	if v := a.first("peer.service", "rpc.service.target", "db.name.service"); v != "" {
		return clean(v, maxName)
	}
	host := a.first("server.address", "net.peer.name", "network.peer.address", "net.peer.ip", "net.sock.peer.addr", "peer.hostname", "peer.ipv4", "peer.address", "http.host")
	port := a.first("server.port", "net.peer.port", "network.peer.port", "net.sock.peer.port", "peer.port")
	if host == "" {
		raw := a.first("url.full", "http.url")
		if _, rest, ok := strings.Cut(raw, "://"); ok {
			host, _, _ = strings.Cut(rest, "/")
			if at := strings.LastIndexByte(host, '@'); at >= 0 {
				host = host[at+1:]
			}
		}
	}
	if _, _, err := net.SplitHostPort(host); host != "" && port != "" && err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), port)
	}
	return clean(host, maxName)
}

func (a attributes) status() int {
	n, err := strconv.Atoi(a.first("http.response.status_code", "http.status_code"))
	if err != nil || n < 100 || n > 599 {
		return 0
	}
	return n
}

// text returns why a span failed.
func (a attributes) text() string {
	message, kind := a.first("exception.message", "error.message", "otel.status_description", "error.object", "message"), a.first("exception.type", "error.type", "error.kind")
	switch {
	case message == "":
		message = kind
	case kind != "" && !strings.Contains(message, kind) && len(kind) < 60 && !strings.HasPrefix(kind, "*"):
		message = kind + ": " + message
	}
	if v := a["error"]; message == "" && v != "true" && v != "false" {
		message = v // Zipkin: the tag is the text
	}
	if message == "" && a.status() >= 400 {
		message = "status " + strconv.Itoa(a.status())
	}
	return clean(message, maxText)
}

// failed reports whether the tags alone say that a span failed.
func (a attributes) failed() bool {
	if strings.EqualFold(a["otel.status_code"], "ERROR") {
		return true
	}
	v, said := a["error"]
	return said && v != "false"
}
