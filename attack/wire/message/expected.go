package message

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// mostGot bounds what is told of what came, in bytes, of a text; of what is none, it is a
// quarter of that.
const mostGot = 120

// Mismatch says which turn of a script was not answered as it expects, and what came instead:
// turn 2, expect line ^250: got "550 no". then says how that ended, "" if it did not.
func Mismatch(index int, t profiles.Turn, got []byte, then string) string {
	expects := t.String()
	if len(expects) > mostGot {
		expects = strings.ToValidUTF8(expects[:mostGot], "") + " ..."
	}
	out := fmt.Sprintf("turn %d, %s: got ", index+1, expects)
	switch {
	case len(got) == 0 && then != "":
		return out + "nothing before " + then
	case len(got) == 0:
		return out + "nothing"
	}
	out += Quoted(got)
	if then != "" {
		out += " before " + then
	}
	return out
}

// Ended says how a fault ended a wait for an answer, for Mismatch.
func Ended(f attack.Fault, _ attack.Detail) string {
	switch f {
	case attack.Timeout:
		return "the time was up"
	case attack.EOF:
		return "the connection was closed"
	case attack.Reset:
		return "the connection was reset"
	}
	return f.String()
}

// Quoted is the beginning of what came, in quotes if it is text, else in hex digits.
func Quoted(b []byte) string {
	more := ""
	text := b
	if len(text) > mostGot {
		text, more = text[:mostGot], " ..."
	}
	for cut := 0; cut < utf8.UTFMax && len(text) > 0 && !utf8.Valid(text); cut++ {
		text = text[:len(text)-1]
	}
	if len(text) > 0 && utf8.Valid(text) && !strings.ContainsRune(string(text), 0) {
		return fmt.Sprintf("%q%s", text, more)
	}
	return fmt.Sprintf("%d bytes, %x", len(b), b[:min(len(b), mostGot/4)])
}
