package postgres

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/rampload/rampload/attack"
)

const (
	headSize = 5       // kind, and length of itself and the body
	mostBody = 1 << 30 // bytes of a message; PostgreSQL's own limit of a value
)

// message1 is one message of the server.
type message1 struct {
	kind byte
	size int // of the body; below 0: the length is none
	body []byte
	head bool // kind and size have come
}

// parse takes a whole message off the input. Where it is not whole, kind and size are set
// as far as they have come.
func (m *message1) parse(b []byte) (rest []byte, ok bool) {
	*m = message1{}
	if len(b) < headSize {
		return b, false
	}
	m.kind, m.head = b[0], true
	m.size = int(int32(binary.BigEndian.Uint32(b[1:]))) - 4
	if m.size < 0 || len(b)-headSize < m.size {
		return b, false
	}
	m.body = b[headSize : headSize+m.size]
	return b[headSize+m.size:], true
}

// known reports whether a server sends messages of a kind.
func known(kind byte) bool { return strings.IndexByte("RKSZETDCINAGHWvVdct123ns", kind) >= 0 }

// query appends a simple query.
func query(b, text []byte) []byte {
	b = append(b, 'Q')
	b = binary.BigEndian.AppendUint32(b, uint32(4+len(text)+1))
	return append(append(b, text...), 0)
}

// password appends a message of the log-in.
func password(b, body []byte) []byte {
	b = append(b, 'p')
	b = binary.BigEndian.AppendUint32(b, uint32(4+len(body)))
	return append(b, body...)
}

// startup is the first message of a connection, for version 3.0.
func startup(user, db string) []byte {
	body := binary.BigEndian.AppendUint32(nil, 3<<16)
	for _, s := range []string{"user", user, "database", db, "application_name", "rampload"} {
		body = append(append(body, s...), 0)
	}
	body = append(body, 0)
	return append(binary.BigEndian.AppendUint32(nil, uint32(4+len(body))), body...)
}

// wantTLS asks for TLS before the start-up.
func wantTLS() []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), 80877103)
}

// serverError is what the server told of an error.
type serverError struct{ severity, code, text string }

// mostText bounds what is kept of an error's text.
const mostText = attack.MaxAnswerBody - 64

// parseError reads the fields of an error; what is malformed of it is left out.
func parseError(body []byte) *serverError {
	e := &serverError{}
	for len(body) > 1 {
		field := body[0]
		end := bytes.IndexByte(body[1:], 0)
		if end < 0 {
			break
		}
		value := string(body[1 : 1+min(end, mostText)])
		switch field {
		case 'V':
			e.severity = value
		case 'S':
			if e.severity == "" {
				e.severity = value
			}
		case 'C':
			if len(value) == 5 {
				e.code = value
			}
		case 'M':
			e.text = value
		}
		body = body[end+2:]
	}
	return e
}

// String returns severity, SQLSTATE and text, as in "FATAL 53300: sorry, too many clients
// already".
func (e *serverError) String() string {
	return strings.TrimLeft(strings.TrimSpace(e.severity+" "+e.code)+": "+e.text, ": ")
}

// detail returns what the SQLSTATE says
// (https://www.postgresql.org/docs/current/errcodes-appendix.html).
func (e *serverError) detail() attack.Detail {
	code := attack.ServerError
	switch e.code {
	case "53300":
		code = attack.ServerTooManyClients
	case "28000", "28P01":
		code = attack.ServerAuthentication
	case "57P01", "57P02":
		code = attack.ServerShuttingDown
	case "57P03":
		code = attack.ServerStartingUp
	case "53200":
		code = attack.ServerOutOfMemory
	case "25006":
		code = attack.ServerReadOnly
	}
	if e.code == "57P03" && strings.Contains(e.text, "shutting down") {
		code = attack.ServerShuttingDown
	}
	return attack.Detail{Kind: attack.ServerDetail, Code: code}
}

// text returns a body that is a text with a zero byte behind it.
func text(body []byte) []byte { return append([]byte(nil), bytes.TrimSuffix(body, []byte{0})...) }

// row returns the values of a row as they are shown.
func row(body []byte) []byte {
	if len(body) < 2 {
		return nil
	}
	var out []byte
	columns := int(binary.BigEndian.Uint16(body))
	body = body[2:]
	for i := range columns {
		if len(body) < 4 {
			break
		}
		n := int(int32(binary.BigEndian.Uint32(body)))
		body = body[4:]
		if i > 0 {
			out = append(out, " | "...)
		}
		if n < 0 {
			out = append(out, "NULL"...)
			continue
		}
		n = min(n, len(body))
		out = strconv.AppendQuote(out, string(body[:n]))
		body = body[n:]
	}
	return append(out, '\n')
}
