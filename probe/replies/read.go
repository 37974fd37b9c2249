// Package replies reads what services answer each other where an answer says that
// something failed: the first bytes of error replies, as they pass a watched host in the
// clear. A database says there why it refuses, word for word, though whoever asked it
// answers "500" and nothing more. It keeps few replies of each kind, bounded and without
// what looks like a secret, and knows nothing of what a text means (report/diagnose/says).
package replies

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Reply is an answer that says that something failed.
type Reply struct {
	Protocol string // "http", "redis", "postgresql", "mysql", "memcached", "amqp", "fastcgi", "tls", "dns"
	Status   int    // of HTTP; 0: of another protocol
	Text     string // what it says: one line
}

// Well reports whether what a TCP segment carries begins as an answer of HTTP/1 that is no
// error.
func Well(data []byte) bool {
	return len(data) >= 12 && bytes.HasPrefix(data, []byte("HTTP/1.")) && data[8] == ' ' && (data[9] == '2' || data[9] == '3')
}

// Nothing reports whether what a TCP segment carries is the answer of a store that has nothing
// under the key that it was asked for.
func Nothing(data []byte) bool {
	return bytes.Equal(data, []byte("$-1\r\n")) || bytes.Equal(data, []byte("END\r\n"))
}

// maxText bounds what is kept of a reply, in bytes.
const maxText = 300

// Read reads the beginning of what a TCP segment carries. ok is false for all that is no
// error reply of a protocol known here.
func Read(data []byte) (r Reply, ok bool) {
	switch {
	case len(data) == 7 && data[0] == tlsAlert:
		r, ok = readAlert(data)
	case len(data) < 8:
		return Reply{}, false
	case bytes.HasPrefix(data, []byte("HTTP/1.")):
		r, ok = readHTTP(data)
	case data[0] == '-':
		r, ok = readRedis(data)
	case (data[0] == 'E' || data[0] == 'R') && data[1] == 0, data[0] == '1' || data[0] == '2':
		r, ok = readPostgres(data)
	case data[4] == 0xff:
		r, ok = readMySQL(data)
	case data[0] == 1 && data[1] == 7:
		r, ok = readFastCGI(data)
	case data[0] == 1:
		r, ok = readAMQP(data)
	default:
		r, ok = readMemcached(data)
	}
	r.Text = clean(r.Text)
	return r, ok && r.Text != ""
}

// readHTTP reads the head of a response, and the beginning of its body where that came in
// the same segment.
func readHTTP(data []byte) (Reply, bool) {
	if len(data) < 12 || data[8] != ' ' {
		return Reply{}, false
	}
	status, err := strconv.Atoi(string(data[9:12]))
	if err != nil || status < 400 || status > 599 {
		return Reply{}, false
	}
	head, body, _ := bytes.Cut(data, []byte("\r\n\r\n"))
	line, head, _ := bytes.Cut(head, []byte("\r\n"))
	text := strings.TrimSpace(string(line[9:]))
	low := bytes.ToLower(head)
	if len(body) > 0 && !bytes.Contains(low, []byte("content-encoding:")) {
		if bytes.Contains(low, []byte("transfer-encoding: chunked")) {
			_, body, _ = bytes.Cut(body, []byte("\r\n"))
		}
		switch said := plain(body); {
		case strings.HasPrefix(said, text): // a page that begins with its status
			text = said
		case said != "":
			text += ": " + said
		}
	}
	return Reply{Protocol: "http", Status: status, Text: text}, true
}

var (
	tags    = regexp.MustCompile(`(?s)<(?:script|style)[^>]*>.*?</(?:script|style)>|<[^>]*>`)
	redisOf = regexp.MustCompile(`^-[A-Z][A-Z]+ `)
)

// plain takes the tags off a page.
func plain(body []byte) string {
	if !utf8.Valid(body[:min(len(body), 64)]) || bytes.IndexByte(body, 0) >= 0 {
		return ""
	}
	return clean(tags.ReplaceAllString(string(body), " "))
}

// readRedis reads an error of RESP. Answers that only send a client elsewhere are none.
func readRedis(data []byte) (Reply, bool) {
	line, _, whole := bytes.Cut(data, []byte("\r\n"))
	if !whole || !redisOf.Match(line) {
		return Reply{}, false
	}
	for _, usual := range []string{"-MOVED ", "-ASK ", "-NOSCRIPT ", "-BUSYGROUP "} {
		if bytes.HasPrefix(line, []byte(usual)) {
			return Reply{}, false
		}
	}
	return Reply{Protocol: "redis", Text: string(line[1:])}, true
}

// readPostgres reads an ErrorResponse, by itself or behind the messages that say that somebody
// was authenticated, or that a statement was parsed and bound (protocol version 3).
func readPostgres(data []byte) (Reply, bool) {
	for len(data) >= 9 && data[0] == 'R' {
		n := binary.BigEndian.Uint32(data[1:])
		if n < 8 || int64(n)+1 > int64(len(data)) {
			return Reply{}, false
		}
		data = data[n+1:]
	}
	for len(data) >= 5 && (data[0] == '1' || data[0] == '2') && binary.BigEndian.Uint32(data[1:]) == 4 {
		data = data[5:]
	}
	if len(data) < 7 || data[0] != 'E' {
		return Reply{}, false
	}
	n := binary.BigEndian.Uint32(data[1:])
	if n < 8 || n > 1<<16 {
		return Reply{}, false
	}
	data = data[5:min(len(data), int(n)+1)]
	fields := map[byte]string{}
	for len(data) > 1 && data[0] != 0 {
		value, rest, _ := bytes.Cut(data[1:], []byte{0})
		fields[data[0]] = string(value)
		data = rest
	}
	if fields['S'] == "" || fields['M'] == "" {
		return Reply{}, false
	}
	text := fields['S'] + ": " + fields['M']
	if fields['C'] != "" {
		text += " (" + fields['C'] + ")"
	}
	return Reply{Protocol: "postgresql", Text: text}, true
}

// readMySQL reads an ERR packet.
func readMySQL(data []byte) (Reply, bool) {
	n := int(data[0]) | int(data[1])<<8 | int(data[2])<<16
	if n < 4 || n > 1<<12 || data[3] > 8 || n+4 != len(data) && n+4 > 512 {
		return Reply{}, false
	}
	data = data[:min(len(data), n+4)]
	code := binary.LittleEndian.Uint16(data[5:])
	text := data[7:]
	if len(text) > 6 && text[0] == '#' {
		text = text[6:]
	}
	if code < 1000 || len(text) == 0 || !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return Reply{}, false
	}
	return Reply{Protocol: "mysql", Text: fmt.Sprintf("error %d: %s", code, text)}, true
}

// tlsAlert is the type of record of an alert (RFC 8446 5.1).
const tlsAlert = 21

// alerts are the fatal alerts that end a handshake (RFC 8446 6.2).
var alerts = map[byte]string{
	10: "unexpected message", 40: "handshake failure", 42: "bad certificate", 43: "unsupported certificate", 44: "certificate revoked", 45: "certificate expired",
	46: "certificate unknown", 47: "illegal parameter", 48: "unknown ca", 49: "access denied", 50: "decode error", 51: "decrypt error", 70: "protocol version",
	71: "insufficient security", 80: "internal error", 109: "missing extension", 112: "unrecognized name", 116: "certificate required", 120: "no application protocol",
}

// readAlert reads a fatal alert that ends a handshake before it is encrypted.
func readAlert(data []byte) (Reply, bool) {
	if data[1] != 3 || data[3] != 0 || data[4] != 2 || data[5] != 2 {
		return Reply{}, false
	}
	text, known := alerts[data[6]]
	return Reply{Protocol: "tls", Text: fmt.Sprintf("TLS alert: %s (%d)", text, data[6])}, known
}

// readMemcached reads an error of the text protocol.
func readMemcached(data []byte) (Reply, bool) {
	line, _, whole := bytes.Cut(data, []byte("\r\n"))
	if !whole || !bytes.HasPrefix(line, []byte("SERVER_ERROR ")) && !bytes.HasPrefix(line, []byte("CLIENT_ERROR ")) && !bytes.HasPrefix(line, []byte("ERROR ")) {
		return Reply{}, false
	}
	return Reply{Protocol: "memcached", Text: string(line)}, true
}

// readAMQP reads what AMQP 0-9-1 says when it closes a connection or a channel, or takes
// no more messages: connection.close, connection.blocked, channel.close.
func readAMQP(data []byte) (Reply, bool) {
	if len(data) < 14 {
		return Reply{}, false
	}
	body := data[11:]
	short := func(b []byte) string {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			return ""
		}
		return string(b[1 : 1+int(b[0])])
	}
	switch binary.BigEndian.Uint32(data[7:]) {
	case 10<<16 | 50, 20<<16 | 40:
		if code := binary.BigEndian.Uint16(body); code >= 300 {
			return Reply{Protocol: "amqp", Text: fmt.Sprintf("%d %s", code, short(body[2:]))}, true
		}
	case 10<<16 | 60:
		return Reply{Protocol: "amqp", Text: "connection blocked: " + short(body)}, true
	}
	return Reply{}, false
}

// readFastCGI reads what an application writes to its errors (FCGI_STDERR).
func readFastCGI(data []byte) (Reply, bool) {
	n := int(binary.BigEndian.Uint16(data[4:]))
	if n == 0 {
		return Reply{}, false
	}
	text := data[8:min(len(data), 8+n)]
	if bytes.IndexByte(text, 0) >= 0 || !utf8.Valid(text[:min(len(text), 64)]) {
		return Reply{}, false
	}
	return Reply{Protocol: "fastcgi", Text: string(text)}, true
}

// secrets are what comes before that which must not be kept.
var secrets = regexp.MustCompile(`(?i)((?:bearer|basic) +|(?:password|passwd|pwd|token|secret|api[_-]?key|authorization|cookie)["']?\s*[=:]\s*["']?)[^\s"'&,;)}\]]{4,}`)

// clean makes one printable line of a text, bounded, without what looks like a secret.
func clean(s string) string {
	if len(s) > 4*maxText {
		s = s[:4*maxText]
	}
	var b strings.Builder
	space := false
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) || unicode.IsSpace(r) {
			space = true
			continue
		}
		if space && b.Len() > 0 {
			b.WriteByte(' ')
		}
		space = false
		b.WriteRune(r)
	}
	out := secrets.ReplaceAllString(b.String(), "${1}***")
	if len(out) > maxText {
		out = strings.ToValidUTF8(out[:maxText], "")
	}
	return strings.TrimSpace(out)
}
