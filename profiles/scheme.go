package profiles

import (
	"net/url"
	"slices"
	"strings"
)

// Spoken is what is spoken to a target: the language of its requests.
type Spoken string

// What can be spoken.
const (
	SpeaksGRPC      Spoken = "grpc"
	SpeaksHTTP      Spoken = "http"
	SpeaksBytes     Spoken = "bytes"     // a script, over TCP or TLS
	SpeaksRedis     Spoken = "redis"     // commands
	SpeaksPostgres  Spoken = "postgres"  // SQL statements
	SpeaksWebSocket Spoken = "websocket" // messages, alone or in a script
)

// OverHTTP reports whether requests are those of HTTP, or of what goes over it.
func (s Spoken) OverHTTP() bool { return s == SpeaksHTTP || s == SpeaksGRPC }

// HasQuery reports whether the URL of a target may have a query: where its requests have
// none of their own.
func (s Spoken) HasQuery() bool { return s == SpeaksPostgres || s == SpeaksWebSocket }

// Scheme is what the scheme of a target's URL says of the target.
type Scheme struct {
	Name    string // as URLs have it
	Speaks  Spoken
	Port    int    // when the URL names none; 0: it has to name one, or has none
	TLS     bool   // from the first byte of a connection
	Proxied bool   // clients send it through the environment's proxy
	Example string // of a URL
}

// Schemes returns the schemes that the URL of a target may have. A protocol is added
// here, and in attack/wire/protocol.
func Schemes() []Scheme {
	return []Scheme{
		{Name: "http", Speaks: SpeaksHTTP, Port: 80, Proxied: true, Example: "http://127.0.0.1:8080"},
		{Name: "https", Speaks: SpeaksHTTP, Port: 443, TLS: true, Proxied: true, Example: "https://orders.example"},
		{Name: "grpc", Speaks: SpeaksGRPC, Port: 80, Example: "grpc://127.0.0.1:50051"},
		{Name: "grpcs", Speaks: SpeaksGRPC, Port: 443, TLS: true, Example: "grpcs://orders.example"},
		{Name: "tcp", Speaks: SpeaksBytes, Example: "tcp://127.0.0.1:11211"},
		{Name: "tls", Speaks: SpeaksBytes, TLS: true, Example: "tls://mail.internal:465"},
		{Name: "redis", Speaks: SpeaksRedis, Port: 6379, Example: "redis://:password@cache.internal"},
		{Name: "rediss", Speaks: SpeaksRedis, Port: 6379, TLS: true, Example: "rediss://cache.internal"},
		{Name: "postgres", Speaks: SpeaksPostgres, Port: 5432, Example: "postgres://user:password@db.internal/orders"},
		{Name: "ws", Speaks: SpeaksWebSocket, Port: 80, Example: "ws://127.0.0.1:8080/chat"},
		{Name: "wss", Speaks: SpeaksWebSocket, Port: 443, TLS: true, Example: "wss://chat.example/chat"},
		{Name: "unix", Speaks: SpeaksHTTP, Example: "unix:///run/orders.sock"},
	}
}

// SchemeOf returns the scheme of a URL; false for a text that is no URL, or one of an
// unknown scheme.
func SchemeOf(raw string) (Scheme, bool) {
	u, err := url.Parse(raw)
	if err != nil {
		return Scheme{}, false
	}
	return FindScheme(u.Scheme)
}

// WantsTLS reports whether a URL says that its target is spoken to over TLS: by its
// scheme, or by the sslmode of PostgreSQL.
func WantsTLS(u *url.URL) bool {
	s, _ := FindScheme(u.Scheme)
	if s.Speaks == SpeaksPostgres {
		mode := u.Query().Get("sslmode")
		return mode == "require" || mode == "verify-ca" || mode == "verify-full"
	}
	return s.TLS
}

// FindScheme returns the scheme of a name.
func FindScheme(name string) (Scheme, bool) {
	all := Schemes()
	i := slices.IndexFunc(all, func(s Scheme) bool { return strings.EqualFold(s.Name, name) })
	if i < 0 {
		return Scheme{}, false
	}
	return all[i], true
}

// SchemeList returns the beginnings of URLs as a sentence has them: "http://, https://
// or unix:///".
func SchemeList() string {
	var all []string
	for _, s := range Schemes() {
		begin := s.Name + "://"
		if s.Name == "unix" {
			begin += "/"
		}
		all = append(all, begin)
	}
	last := len(all) - 1
	return strings.Join(all[:last], ", ") + " or " + all[last]
}

// Speaks returns what is spoken to the target: the scheme of its URL says it. A target
// of a file, or of a URL that is none, speaks HTTP.
func (t Target) Speaks() Spoken {
	if s, ok := SchemeOf(t.URL); ok {
		return s.Speaks
	}
	return SpeaksHTTP
}
