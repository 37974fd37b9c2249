// Package message compiles the requests of a profile into HTTP messages: method,
// target, header fields and body, checked once and the same for every version of the
// protocol. How a message becomes bytes is the version's: see http1 and http.
package message

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fill"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/profiles"
)

// Names of the headers that join our record with the target's logs.
const (
	TransactionHeader = "X-Transaction-Id"
	TraceHeader       = "traceparent"
	B3Header          = "b3"
)

// ContinueWait is how long a request that expects 100 Continue waits for it before
// it sends its body all the same (RFC 9110 §10.1.1).
const ContinueWait = time.Second

// Message is one HTTP request. It is immutable once compiled.
type Message struct {
	Method   string
	Origin   string           // scheme://host before URI in a request through a plain proxy; else ""
	URI      string           // path and query
	Fields   Fields           // in the order in which they go out
	Holes    []*fill.Template // what URI and values of Fields stand for that have to be filled in; see Hole
	Own      int              // the first so many fields are rampload's: ids in them change with each attempt
	Body     []byte           // without chunks; nil with a Template
	Template *Template
	Chunked  bool
	Cookies  bool // of a user, who has them at hand: see [attack.Fill]
	Expect   bool // waits for 100 Continue before its body
	Asked    bool // the profile has a Connection header
	Close    bool // it says Connection: close
	Tracing  attack.Tracing

	mediaType string // of the body, where that follows from it; "": the profile says it
	closeAt   int    // where Connection: close belongs among Fields
}

// Compile makes the message of a request, for a connection that is kept. Headers of
// the profile replace those that rampload sends by itself: Host, User-Agent,
// X-Transaction-Id, traceparent, b3 and the Authorization of the URL. Content-Length and
// Transfer-Encoding follow from the body. The body file is read now.
func Compile(to wire.Target, r profiles.Request) (*Message, error) {
	m := &Message{Method: r.Method, Origin: to.Origin, Tracing: to.Tracing, Cookies: r.Cookies && !hasField(r.Headers, "Cookie")}
	if m.Method == "" {
		m.Method = "GET"
	}
	if !httpguts.ValidHeaderFieldName(m.Method) {
		return nil, fmt.Errorf("compile request: method %q is no token", r.Method)
	}
	if m.Method == "CONNECT" {
		return nil, fmt.Errorf("compile request: CONNECT is for proxies: use client.proxy")
	}
	var err error
	scope := fill.Scope{Tables: to.Data, Vars: to.Vars, Callback: to.Callback}
	if r.Filled {
		if r.Template {
			return nil, fmt.Errorf("compile request: it is a template and has ${...} too")
		}
		m.URI, err = m.fillURI(to.Prefix, r.Path, scope)
	} else {
		m.URI, err = requestURI(to.Prefix, r.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("compile request: %w", err)
	}
	if err := m.setBody(r, scope); err != nil {
		return nil, fmt.Errorf("compile request %s %s: %w", m.Method, r.Path, err)
	}
	if err := m.setFields(to, r, scope); err != nil {
		return nil, fmt.Errorf("compile request %s %s: %w", m.Method, r.Path, err)
	}
	return m, nil
}

func hasField(fields []profiles.Header, name string) bool {
	return slices.ContainsFunc(fields, func(h profiles.Header) bool { return strings.EqualFold(h.Name, name) })
}

// Closing returns the message with Connection: close, for a connection that serves
// it alone.
func (m *Message) Closing() *Message {
	out := *m
	out.Fields = append(append(Fields{}, m.Fields[:m.closeAt]...), profiles.Header{Name: "Connection", Value: "close"})
	out.Fields = append(out.Fields, m.Fields[m.closeAt:]...)
	out.Own++
	out.Close = true
	return &out
}

// HasBody reports whether the request has a body, be it empty.
func (m *Message) HasBody() bool { return m.Template != nil || m.Chunked || len(m.Body) > 0 }

// Repeatable reports whether the method may be repeated without harm (RFC 9110
// §9.2.2).
func (m *Message) Repeatable() bool {
	switch m.Method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// requestURI returns path and query of a request as they go on the wire.
func requestURI(prefix, path string) (string, error) {
	if path == "*" {
		return path, nil
	}
	if path != "" && path[0] != '/' && path[0] != '?' {
		return "", fmt.Errorf("path %q must begin with a slash", path)
	}
	if strings.HasPrefix(path, "/") {
		prefix = strings.TrimSuffix(prefix, "/")
	}
	path, _, _ = strings.Cut(prefix+path, "#")
	if path == "" || path[0] == '?' {
		path = "/" + path
	}
	// Not url.Parse, which would take //a for a host.
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return "", fmt.Errorf("parse path: %w", err)
	}
	return u.RequestURI(), nil
}

func (m *Message) setBody(r profiles.Request, scope fill.Scope) error {
	body := []byte(r.Body)
	if r.BodyFile != "" {
		if r.Body != "" {
			return fmt.Errorf("read body: give either a body or a body file")
		}
		var err error
		if body, err = readBody(r.BodyFile); err != nil {
			return fmt.Errorf("read body: %w", err)
		}
	}
	if len(r.Parts) > 0 {
		if len(body) > 0 || r.Template {
			return fmt.Errorf("read body: give either a body or parts")
		}
		var err error
		if body, m.mediaType, err = multipartBody(r.Parts, r.Filled); err != nil {
			return fmt.Errorf("read parts: %w", err)
		}
	}
	m.Chunked = r.Chunked
	if r.Filled && r.BodyFile == "" {
		return m.fillBody(string(body), r, scope)
	}
	if r.Template {
		var err error
		if m.Template, err = parseTemplate(string(body)); err != nil {
			return fmt.Errorf("parse body template: %w", err)
		}
		return nil
	}
	m.Body = body
	return nil
}

// setFields makes the header fields.
func (m *Message) setFields(to wire.Target, r profiles.Request, scope fill.Scope) error {
	own := Fields{
		{Name: "Host", Value: to.Authority},
		{Name: "User-Agent", Value: wire.UserAgent},
		{Name: "Authorization", Value: to.Authorization},
	}
	own = append(own, OwnIDs(to)...)
	if to.Origin != "" {
		own = append(own, profiles.Header{Name: "Proxy-Authorization", Value: to.ProxyAuth})
	}
	m.Expect = to.Client.ExpectContinue && m.HasBody()
	var theirs Fields
	for _, h := range r.Headers {
		if !httpguts.ValidHeaderFieldName(h.Name) {
			return fmt.Errorf("header name %q is no token", h.Name)
		}
		if !httpguts.ValidHeaderFieldValue(h.Value) {
			return fmt.Errorf("header %s: the value has a control character", h.Name)
		}
		h.Value = strings.Trim(h.Value, " \t")
		if r.Filled {
			var err error
			if h.Value, err = m.hole(h.Value, fill.Field, scope); err != nil {
				return fmt.Errorf("header %s: %w", h.Name, err)
			}
		}
		switch strings.ToLower(h.Name) {
		case "content-length":
			if n, err := strconv.Atoi(h.Value); err != nil || m.Template != nil || m.Chunked || n != len(m.Body) {
				return fmt.Errorf("header Content-Length: it follows from the body: leave it out")
			}
			continue
		case "transfer-encoding":
			return fmt.Errorf("header Transfer-Encoding: write chunked: true instead")
		case "expect":
			if !strings.EqualFold(h.Value, "100-continue") {
				return fmt.Errorf("header Expect: only 100-continue is defined")
			}
			m.Expect = m.HasBody()
			continue
		case "connection":
			m.Close = m.Close || httpguts.HeaderValuesContainsToken([]string{h.Value}, "close")
		}
		own.drop(h.Name)
		theirs = append(theirs, h)
	}
	if i := theirs.Find("host"); i >= 0 { // first, as RFC 9110 §7.2 advises
		own = append(Fields{theirs[i]}, own...)
		theirs.drop("host")
	}
	m.Asked = theirs.Find("connection") >= 0
	m.closeAt = len(own)
	if m.Expect {
		own = append(own, profiles.Header{Name: "Expect", Value: "100-continue"})
	}
	if m.Chunked {
		own = append(own, profiles.Header{Name: "Transfer-Encoding", Value: "chunked"})
	} else if m.Template == nil && (len(m.Body) > 0 || wantsLength(m.Method)) {
		own = append(own, profiles.Header{Name: "Content-Length", Value: strconv.Itoa(len(m.Body))})
	}
	if m.mediaType != "" {
		theirs.drop("content-type")
		own = append(own, profiles.Header{Name: "Content-Type", Value: m.mediaType})
	}
	m.Fields, m.Own = append(own, theirs...), len(own)
	return nil
}

// wantsLength reports whether a request without a body says so (RFC 9110 §8.6).
func wantsLength(method string) bool {
	return method == "POST" || method == "PUT" || method == "PATCH"
}
