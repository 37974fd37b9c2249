// Package recognize finds out what answers at an address whose server does not speak what it
// is held for. It asks harmless questions of a few protocols, one connection each, and
// changes nothing at any server.
package recognize

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"time"

	"github.com/rampload/rampload/profiles"
)

// Server is what answers, as in "answers like an HTTP server".
type Server string

// Servers that are known by what they say first.
const (
	Unknown  Server = ""
	HTTP     Server = "an HTTP server"
	HTTP2    Server = "an HTTP/2 server"
	Redis    Server = "Redis"
	Postgres Server = "PostgreSQL"
	MySQL    Server = "MySQL"
	TLS      Server = "a server that wants TLS"
	SSH      Server = "an SSH server"
	Mail     Server = "a mail or FTP server"
	Memcache Server = "memcached"
	NATS     Server = "NATS"
)

// Like reports whether such a server is what a target says that it speaks.
func (s Server) Like(speaks profiles.Spoken) bool {
	switch speaks {
	case profiles.SpeaksHTTP, profiles.SpeaksWebSocket:
		return s == HTTP
	case profiles.SpeaksGRPC:
		return s == HTTP2
	case profiles.SpeaksRedis:
		return s == Redis
	case profiles.SpeaksPostgres:
		return s == Postgres
	}
	return true // whatever it is, it may be what a script expects
}

// Named is how a target's protocol is called beside a [Server].
func Named(speaks profiles.Spoken) string {
	switch speaks {
	case profiles.SpeaksHTTP, profiles.SpeaksWebSocket:
		return string(HTTP)
	case profiles.SpeaksGRPC:
		return "a gRPC server"
	case profiles.SpeaksRedis:
		return string(Redis)
	case profiles.SpeaksPostgres:
		return string(Postgres)
	}
	return string(speaks)
}

// By recognizes a server by its first bytes, whoever spoke first.
func By(b []byte) Server {
	starts := func(text string) bool { return bytes.HasPrefix(b, []byte(text)) }
	switch {
	case starts("HTTP/1.") || starts("HTTP/0.9"):
		return HTTP
	case len(b) >= 9 && b[0] == 0 && b[1] == 0 && b[3] == 4 && bytes.Equal(b[5:9], make([]byte, 4)): // SETTINGS of stream 0
		return HTTP2
	case starts("+PONG") || starts("-ERR") || starts("-NOAUTH") || starts("-DENIED") || starts("-LOADING") || starts("-NOPERM"):
		return Redis
	case len(b) > 9 && b[0] == 'E' && binary.BigEndian.Uint32(b[1:]) < 10_000 && (b[5] == 'S' || b[5] == 'V'): // ErrorResponse
		return Postgres
	case len(b) > 5 && b[3] == 0 && b[4] == 10 && int(b[0])|int(b[1])<<8|int(b[2])<<16 > 20: // handshake of version 10
		return MySQL
	case len(b) >= 3 && b[0] == 21 && b[1] == 3 && b[2] <= 4: // an alert
		return TLS
	case starts("SSH-"):
		return SSH
	case starts("220 ") || starts("220-") || starts("+OK ") || starts("* OK "):
		return Mail
	case starts("ERROR\r\n"):
		return Memcache
	case starts("INFO {"):
		return NATS
	}
	return Unknown
}

// patience bounds how long one answer is waited for.
const patience = time.Second

// Ask asks what answers at an address: for the options of an HTTP server, with PING of
// Redis, and whether PostgreSQL takes TLS. [Unknown] is what none of these can tell.
func Ask(ctx context.Context, network, addr string) Server {
	for _, q := range questions() {
		first := answer(ctx, network, addr, q.ask)
		if s := By(first); s != Unknown {
			return s
		}
		if q.yes != nil && q.yes(first) {
			return q.then
		}
	}
	return Unknown
}

type question struct {
	ask  string
	yes  func(answer []byte) bool // of an answer that only this question makes one
	then Server
}

func questions() []question {
	return []question{
		{ask: "OPTIONS * HTTP/1.0\r\n\r\n"},
		{ask: "PING\r\n"},
		{ // SSLRequest: one byte
			ask: "\x00\x00\x00\x08\x04\xd2\x16\x2f", then: Postgres,
			yes: func(b []byte) bool { return len(b) == 1 && (b[0] == 'S' || b[0] == 'N') },
		},
	}
}

// answer returns the first bytes that come to a question.
func answer(ctx context.Context, network, addr, ask string) []byte {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if _, err := c.Write([]byte(ask)); err != nil {
		return nil
	}
	var b [64]byte
	n, _ := c.Read(b[:])
	return b[:n]
}
