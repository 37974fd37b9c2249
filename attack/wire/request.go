package wire

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/http2"
	"github.com/rampload/rampload/profiles"
)

const userAgent = "rampload"

// Names of the headers that join our record with the target's logs.
const (
	transactionHeader = "X-Transaction-Id"
	traceHeader       = "traceparent"
)

// smallBody is the longest body that is sent in one write with its headers. A
// longer one is written beside the reading of the response, because the target
// may answer, and stop reading, before it has all of it.
const smallBody = 16 << 10

// chunkSize is the length of a chunk of a chunked request body.
const chunkSize = 16 << 10

// Request is one request of a target, encoded once. It is safe for concurrent
// use.
type Request struct {
	method string
	head   []byte // request line and headers with the final empty line; a template's ends before Content-Length
	body   []byte // as it goes over HTTP/1.1, chunks and all
	tmpl   *template
	chunks bool
	txAt   int // where the transaction id is in head, 0 if the profile has its own
	trAt   int // where the traceparent is in head, 0 likewise
	expect bool
	asked  bool     // the profile has a Connection header
	close  bool     // it says Connection: close
	kept   *Request // the same for a connection that is kept, when close is only for want of a pool

	block   []byte // the headers for HTTP/2
	blockTx int    // where the transaction id is in it, 0 if the profile has its own
	blockTr int    // where the traceparent is, 0 likewise
	payload []byte // the body without chunks
}

// compile encodes a request of the target. Headers of the profile replace those
// that rampload sends by itself: Host, User-Agent, X-Transaction-Id, traceparent
// and the Authorization of the URL. Content-Length and Transfer-Encoding follow
// from the body. The body file is read now.
func (t *Transport) compile(r profiles.Request) (*Request, error) {
	out := &Request{method: r.Method}
	if out.method == "" {
		out.method = "GET"
	}
	if !httpguts.ValidHeaderFieldName(out.method) {
		return nil, fmt.Errorf("compile request: method %q is no token", r.Method)
	}
	if out.method == "CONNECT" {
		return nil, fmt.Errorf("compile request: CONNECT is for proxies: use client.proxy")
	}
	uri, err := t.base.requestURI(r.Path)
	if err != nil {
		return nil, fmt.Errorf("compile request: %w", err)
	}
	if err := out.setBody(r); err != nil {
		return nil, fmt.Errorf("compile request %s %s: %w", out.method, r.Path, err)
	}
	if err := out.setHead(t, r, uri); err != nil {
		return nil, fmt.Errorf("compile request %s %s: %w", out.method, r.Path, err)
	}
	if t.cfg.Client.Connections == 0 && !out.asked {
		kept := *out
		kept.close = false
		if err := kept.setHeadFor(t, r, uri, true); err != nil {
			return nil, fmt.Errorf("compile request %s %s: %w", out.method, r.Path, err)
		}
		out.kept = &kept
	}
	return out, nil
}

// requestURI returns path and query of a request as they go on the wire.
func (tg *target) requestURI(path string) (string, error) {
	if path == "*" {
		return path, nil
	}
	if path != "" && path[0] != '/' && path[0] != '?' {
		return "", fmt.Errorf("path %q must begin with a slash", path)
	}
	prefix := tg.prefix
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

func (r *Request) setBody(p profiles.Request) error {
	body := []byte(p.Body)
	if p.BodyFile != "" {
		if p.Body != "" {
			return fmt.Errorf("read body: give either a body or a body file")
		}
		var err error
		if body, err = os.ReadFile(p.BodyFile); err != nil {
			return fmt.Errorf("read body: %w", err)
		}
	}
	r.chunks = p.Chunked
	if p.Template {
		var err error
		if r.tmpl, err = parseTemplate(string(body)); err != nil {
			return fmt.Errorf("parse body template: %w", err)
		}
		return nil
	}
	r.payload, r.body = body, body
	if p.Chunked {
		r.body = appendChunks(nil, body)
	}
	return nil
}

// appendChunks appends a body in chunked transfer coding (RFC 9112 §7.1).
func appendChunks(b, body []byte) []byte {
	for len(body) > 0 {
		n := min(len(body), chunkSize)
		b = strconv.AppendInt(b, int64(n), 16)
		b = append(b, "\r\n"...)
		b = append(b, body[:n]...)
		b = append(b, "\r\n"...)
		body = body[n:]
	}
	return append(b, "0\r\n\r\n"...)
}

// hasBody reports whether the request has a body, be it empty.
func (r *Request) hasBody() bool { return r.tmpl != nil || r.chunks || len(r.payload) > 0 }

// setHead encodes the request line and the headers.
func (r *Request) setHead(t *Transport, p profiles.Request, uri string) error {
	return r.setHeadFor(t, p, uri, t.cfg.Client.Connections > 0)
}

// setHeadFor encodes them for a connection that is kept, or for this request alone.
func (r *Request) setHeadFor(t *Transport, p profiles.Request, uri string, kept bool) error {
	tg := t.base
	own := headers{
		{Name: "Host", Value: tg.header},
		{Name: "User-Agent", Value: userAgent},
		{Name: "Authorization", Value: tg.user},
		{Name: transactionHeader, Value: string(t.cfg.RunID.AppendTransactionID(nil, 0))},
		{Name: traceHeader, Value: string(t.cfg.RunID.AppendTraceParent(nil, 0, 0))},
	}
	if tg.origin != "" {
		own = append(own, profiles.Header{Name: "Proxy-Authorization", Value: tg.proxyAuth})
	}
	r.expect = t.cfg.Client.ExpectContinue && r.hasBody()
	var theirs headers
	for _, h := range p.Headers {
		if !httpguts.ValidHeaderFieldName(h.Name) {
			return fmt.Errorf("header name %q is no token", h.Name)
		}
		if !httpguts.ValidHeaderFieldValue(h.Value) {
			return fmt.Errorf("header %s: the value has a control character", h.Name)
		}
		h.Value = strings.Trim(h.Value, " \t")
		switch strings.ToLower(h.Name) {
		case "content-length":
			if n, err := strconv.Atoi(h.Value); err != nil || r.tmpl != nil || r.chunks || n != len(r.payload) {
				return fmt.Errorf("header Content-Length: it follows from the body: leave it out")
			}
			continue
		case "transfer-encoding":
			return fmt.Errorf("header Transfer-Encoding: write chunked: true instead")
		case "expect":
			if !strings.EqualFold(h.Value, "100-continue") {
				return fmt.Errorf("header Expect: only 100-continue is defined")
			}
			r.expect = r.hasBody()
			continue
		case "connection":
			r.close = r.close || httpguts.HeaderValuesContainsToken([]string{h.Value}, "close")
		}
		own.drop(h.Name)
		theirs = append(theirs, h)
	}
	if i := theirs.find("host"); i >= 0 { // first, as RFC 9110 §7.2 advises
		own = append(headers{theirs[i]}, own...)
		theirs.drop("host")
	}
	r.asked = theirs.find("connection") >= 0
	if !kept && !r.asked {
		r.close = true
		own = append(own, profiles.Header{Name: "Connection", Value: "close"})
	}
	if r.expect {
		own = append(own, profiles.Header{Name: "Expect", Value: "100-continue"})
	}
	if r.chunks {
		own = append(own, profiles.Header{Name: "Transfer-Encoding", Value: "chunked"})
	} else if r.tmpl == nil && (len(r.payload) > 0 || wantsLength(r.method)) {
		own = append(own, profiles.Header{Name: "Content-Length", Value: strconv.Itoa(len(r.payload))})
	}
	all := append(own, theirs...)
	r.encode(tg.origin+uri, all, len(own))
	r.encodeBlock(tg, uri, all, len(own))
	return nil
}

// wantsLength reports whether a request without a body says so (RFC 9110 §8.6).
func wantsLength(method string) bool {
	return method == "POST" || method == "PUT" || method == "PATCH"
}

// encode writes the head for HTTP/1.1. The first own headers are rampload's, whose
// ids change with each attempt; those of the profile stay as they are.
func (r *Request) encode(uri string, all headers, own int) {
	b := append([]byte(nil), r.method...)
	b = append(b, ' ')
	b = append(b, uri...)
	b = append(b, " HTTP/1.1\r\n"...)
	for i, h := range all {
		if h.Value == "" && (h.Name == "Authorization" || h.Name == "Proxy-Authorization") {
			continue
		}
		b = append(b, h.Name...)
		b = append(b, ": "...)
		switch {
		case i >= own:
		case h.Name == transactionHeader:
			r.txAt = len(b)
		case h.Name == traceHeader:
			r.trAt = len(b)
		}
		b = append(b, h.Value...)
		b = append(b, "\r\n"...)
	}
	if r.tmpl == nil || r.chunks {
		b = append(b, "\r\n"...)
	}
	r.head = b
}

// encodeBlock encodes the head for HTTP/2, where the fields of the connection have
// no place (RFC 9113 §8.2.2). The first own headers are rampload's.
func (r *Request) encodeBlock(tg *target, uri string, all headers, own int) {
	scheme := "http"
	if tg.tls {
		scheme = "https"
	}
	host := tg.header
	if i := all.find("host"); i >= 0 {
		host = all[i].Value
	}
	var b http2.Block
	b.Add(":method", r.method)
	b.Add(":scheme", scheme)
	b.Add(":authority", host)
	b.Add(":path", uri)
	for i, h := range all {
		switch name := strings.ToLower(h.Name); {
		case i < own && h.Name == transactionHeader:
			r.blockTx = b.AddFixed(h.Name, h.Value)
		case i < own && h.Name == traceHeader:
			r.blockTr = b.AddFixed(h.Name, h.Value)
		case ofConnection[name], name == "te" && h.Value != "trailers", h.Value == "" && name == "authorization":
		default:
			b.Add(h.Name, h.Value)
		}
	}
	r.block = b.Bytes()
}

// ofConnection are the fields that HTTP/2 has no place for.
var ofConnection = map[string]bool{
	"host": true, "connection": true, "transfer-encoding": true, "keep-alive": true,
	"proxy-connection": true, "upgrade": true, "proxy-authorization": true,
}

// encodeFor puts the request of an attempt into the connection's output, with
// its body if that is small, and returns what of the body remains to be sent. An
// expecting request goes without its body.
func (r *Request) encodeFor(c *http1, a *attack.Attempt) (rest []byte) {
	id := c.RunID()
	if r.fixed() {
		if c.encoded != r {
			c.out = append(append(c.out[:0], r.head...), r.body...)
			c.encoded = r
		}
		r.patch(c.out, id, a)
		return nil
	}
	c.encoded = nil
	c.out = append(c.out[:0], r.head...)
	r.patch(c.out, id, a)
	body := r.body
	if r.tmpl != nil {
		c.body = r.tmpl.render(c.body[:0], id, a.Request, time.Now())
		body = c.body
		if r.chunks {
			c.chunks = appendChunks(c.chunks[:0], body)
			body = c.chunks
		} else {
			c.out = append(c.out, "Content-Length: "...)
			c.out = strconv.AppendInt(c.out, int64(len(body)), 10)
			c.out = append(c.out, "\r\n\r\n"...)
		}
	}
	if r.expect || len(body) > smallBody {
		return body
	}
	c.out = append(c.out, body...)
	return nil
}

// patch writes the ids of an attempt into an encoded head.
func (r *Request) patch(head []byte, id attack.RunID, a *attack.Attempt) {
	if r.txAt > 0 {
		id.AppendTransactionID(head[r.txAt:r.txAt], a.Request)
	}
	if r.trAt > 0 {
		id.AppendTraceParent(head[r.trAt:r.trAt], a.Request, a.Try)
	}
}

// fixed reports whether the request differs between attempts in its ids only and
// goes out in one write.
func (r *Request) fixed() bool {
	return r.tmpl == nil && !r.expect && len(r.body) <= smallBody
}

// headers is a list of header fields.
type headers []profiles.Header

// find returns the place of a name, given in lower case, or -1.
func (hs headers) find(name string) int {
	for i, h := range hs {
		if strings.ToLower(h.Name) == name {
			return i
		}
	}
	return -1
}

func (hs *headers) drop(name string) {
	out := (*hs)[:0]
	for _, h := range *hs {
		if !strings.EqualFold(h.Name, name) {
			out = append(out, h)
		}
	}
	*hs = out
}
