package profiles

import "net/url"

// Base is one base URL of a target and the requests that go there.
type Base struct {
	URL      string // http://, https:// or unix:///path/to.sock
	Requests []Request
}

// Bases returns where the target's requests go: its URL with its requests, or what
// its file holds, in order of appearance. A file that has not been read has none.
// The result shares its memory with the target.
func (t Target) Bases() []Base {
	if t.File != "" {
		return t.Read
	}
	return []Base{{URL: t.URL, Requests: t.Requests}}
}

// Reached returns a base URL of the target with the host and port that connections
// go to: its own, or those of ConnectTo.
func (t Target) Reached(b Base) string {
	u, err := url.Parse(b.URL)
	if t.ConnectTo == "" || err != nil || u.Scheme == "unix" {
		return b.URL
	}
	u.Host = t.ConnectTo
	return u.String()
}
