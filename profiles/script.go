package profiles

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles/spelling"
)

// TurnKind is what one turn of a script does.
type TurnKind string

// The kinds of turns.
const (
	TurnSend   TurnKind = "send"   // Text, as By says
	TurnExpect TurnKind = "expect" // what comes next is as By says
	TurnHold   TurnKind = "hold"   // nothing for For, and nothing is read
	TurnPing   TurnKind = "ping"   // a WebSocket ping, until its pong
	TurnClose  TurnKind = "close"  // end the connection with a FIN, over WebSocket with a close frame
	TurnReset  TurnKind = "reset"  // end it with a RST
)

// TurnKinds returns the kinds that need no value, and those that do.
func TurnKinds() (plain, valued []TurnKind) {
	return []TurnKind{TurnPing, TurnClose, TurnReset}, []TurnKind{TurnSend, TurnExpect, TurnHold}
}

// By is how what is sent is written, or how what comes is judged.
type By string

// The ways.
const (
	ByText   By = "text"   // exactly these bytes
	ByBytes  By = "bytes"  // the same, in hex digits
	ByLength By = "length" // so many bytes, whatever they are
	ByLine   By = "line"   // a whole line that matches a regular expression
	ByRegexp By = "regexp" // everything until a regular expression matches
	ByAny    By = "any"    // anything: one byte at least, a whole message over WebSocket
)

// ExpectBys returns the ways in which what comes is judged.
func ExpectBys() []By { return []By{ByText, ByBytes, ByLength, ByLine, ByRegexp, ByAny} }

// Turn is one turn of a script over a connection.
type Turn struct {
	Kind TurnKind
	By   By            // of send and expect
	Text string        // what is sent or expected; hex digits, a regular expression, a length, as By says
	For  time.Duration // of hold
}

// Bytes returns what the turn sends or expects by text or bytes. The error is that of
// hex digits that are none.
func (t Turn) Bytes() ([]byte, error) {
	if t.By != ByBytes {
		return []byte(t.Text), nil
	}
	return hex.DecodeString(strings.Map(func(r rune) rune {
		if r == ' ' || r == '\n' || r == ':' {
			return -1
		}
		return r
	}, t.Text))
}

// String returns the turn in a few words, such as send "PING\r\n".
func (t Turn) String() string {
	switch {
	case t.Kind == TurnHold:
		return "hold " + spelling.FormatDuration(t.For)
	case t.Kind != TurnSend && t.Kind != TurnExpect:
		return string(t.Kind)
	case t.By == ByAny:
		return "expect anything"
	case t.By == ByText:
		return string(t.Kind) + " " + strconv.Quote(t.Text)
	}
	return string(t.Kind) + " " + string(t.By) + " " + t.Text
}

// mostLabel bounds how long the name of a request is that has none of its own.
const mostLabel = 60

// Label returns how reports call a request of the target: by its name, else by what it
// asks for.
func (r Request) Label() string {
	text := r.Method + " " + r.Path
	switch {
	case r.Name != "":
		return r.Name
	case r.Call != nil:
		text = strings.TrimPrefix(r.Path, "/")
	case r.Command != "":
		text = r.Command
	case len(r.Script) > 0:
		text = r.Script[0].String()
		for _, t := range r.Script {
			if t.Kind == TurnSend {
				text = t.String()
				break
			}
		}
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > mostLabel {
		text = strings.ToValidUTF8(text[:mostLabel], "") + "..."
	}
	return text
}
