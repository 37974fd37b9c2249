package websocket

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6455 has it so
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
)

const (
	keyHeader = "Sec-WebSocket-Key: "
	keyText   = 24 // bytes of a key in base64
	mostHead  = 16 << 10
)

// opening makes the request of the opening handshake (RFC 6455 §4.1), with room for the
// key behind keyHeader.
func opening(to wire.Target) (head []byte, keyAt int, err error) {
	u, err := url.Parse(to.Profile.URL)
	if err != nil {
		return nil, 0, fmt.Errorf("parse target URL: %w", err)
	}
	path := to.Prefix
	if path == "" {
		path = "/"
	}
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	var b strings.Builder
	field := func(name, value string) {
		if value != "" {
			b.WriteString(name + ": " + value + "\r\n")
		}
	}
	b.WriteString("GET " + path + " HTTP/1.1\r\n")
	own := map[string]string{"Host": to.Authority, "User-Agent": wire.UserAgent, "Authorization": to.Authorization}
	ws := to.Profile.WebSocket
	for _, h := range ws.Headers {
		if !httpguts.ValidHeaderFieldName(h.Name) || !httpguts.ValidHeaderFieldValue(h.Value) {
			return nil, 0, fmt.Errorf("header %s: name or value has a character that no header may have", h.Name)
		}
		for name := range own {
			if strings.EqualFold(name, h.Name) {
				own[name] = ""
				if name == "Host" { // first, as RFC 9110 §7.2 advises
					field(name, h.Value)
				}
			}
		}
	}
	for _, name := range []string{"Host", "User-Agent", "Authorization"} {
		field(name, own[name])
	}
	b.WriteString("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" + keyHeader)
	keyAt = b.Len()
	b.WriteString(strings.Repeat("=", keyText) + "\r\n")
	field("Sec-WebSocket-Protocol", strings.Join(ws.Subprotocols, ", "))
	for _, h := range ws.Headers {
		if !strings.EqualFold(h.Name, "Host") {
			field(h.Name, h.Value)
		}
	}
	b.WriteString("\r\n")
	return []byte(b.String()), keyAt, nil
}

// acceptOf is what a server answers to a key (RFC 6455 §4.2.2).
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // RFC 6455 has it so
	return base64.StdEncoding.EncodeToString(sum[:])
}

// open makes the opening handshake. It returns what came behind the answer.
func (x *exchanger) open(c *wire.Conn) (rest []byte, err error) {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	key := base64.StdEncoding.EncodeToString(random[:])
	out := bytes.Clone(x.head)
	copy(out[x.keyAt:], key)
	if _, err := c.Write(out); err != nil {
		return nil, wire.InPhase{Phase: attack.PhaseWrite, Err: err}
	}
	var in []byte
	buf := make([]byte, 2<<10)
	phase := attack.PhaseAwait
	for {
		if len(in) > 0 {
			phase = attack.PhaseBody
			if begin := in[:min(len(in), 5)]; !bytes.HasPrefix([]byte("HTTP/"), begin) {
				return nil, wire.InPhase{Phase: phase, Err: wire.Malformed(attack.MalformedStatusLine)}
			}
		}
		if end := bytes.Index(in, []byte("\r\n\r\n")); end >= 0 {
			end += 4
			if err := x.judge(c, in[:end], in[end:], key); err != nil {
				return nil, wire.InPhase{Phase: phase, Err: err}
			}
			return in[end:], nil
		}
		if len(in) > mostHead {
			return nil, wire.InPhase{Phase: phase, Err: wire.Malformed(attack.OversizedHeader)}
		}
		n, err := c.Read(buf)
		in = append(in, buf[:n]...)
		if err != nil {
			return nil, wire.InPhase{Phase: phase, Err: err}
		}
	}
}

// judge looks at the answer to the handshake.
func (x *exchanger) judge(c *wire.Conn, head, behind []byte, key string) error {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), &http.Request{Method: http.MethodGet})
	if err != nil {
		return wire.Malformed(attack.MalformedHeader)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		words := behind
		if len(words) == 0 {
			if waiting, err := c.Waiting(); waiting && err == nil {
				buf := make([]byte, attack.MaxAnswerBody)
				n, _ := c.Read(buf)
				words = buf[:n]
			}
		}
		return wire.Refusal{Status: uint16(resp.StatusCode), Words: string(words[:min(len(words), attack.MaxAnswerBody)])}
	}
	h := resp.Header
	chosen := h.Get("Sec-WebSocket-Protocol")
	switch {
	case !strings.EqualFold(h.Get("Upgrade"), "websocket"), !httpguts.HeaderValuesContainsToken(h["Connection"], "upgrade"),
		h.Get("Sec-Websocket-Accept") != acceptOf(key):
		return wire.Malformed(attack.MalformedHeader)
	case chosen != "" && !slices.Contains(x.target.Profile.WebSocket.Subprotocols, chosen),
		h.Get("Sec-WebSocket-Extensions") != "": // none was offered
		return wire.ErrAgreed
	}
	return nil
}
