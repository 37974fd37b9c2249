// Package parse reads lines of logs, of many formats, into one form. It knows nothing of
// where they come from, nor of what a text means (report/diagnose/says).
//
// Lines come from other programs: they are bounded, cleaned of control characters and of
// what looks like a secret, and never believed to be well formed.
package parse

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Entry is a line of a log as far as it could be read.
type Entry struct {
	Time    string // as written
	Level   Level
	Service string // who says so itself
	Text    string // what it says
	ID      string // of the transaction
	Peer    string // a field that names the other end
	Server  string // as a balancer calls the other end: "orders/s2"
	Status  int    // that was answered; -1: none was; 0: not an access log
	Format  string // "json", "nginx", "access", "haproxy" ...
	// Odd says that an access log calls the request broken off, whatever its status.
	Odd bool

	raw string // the whole line
}

// Level is how grave a line calls itself.
type Level uint8

// The levels.
const (
	LevelUnknown Level = iota
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
	LevelFatal
)

// String returns the level's name, "" for an unknown one.
func (l Level) String() string {
	return [...]string{"", "debug", "info", "warn", "error", "fatal"}[min(l, LevelFatal)]
}

// LevelOf reads the name of a level as loggers write it: words, numbers of syslog, and of
// Bunyan and Pino.
func LevelOf(s string) Level {
	switch strings.ToLower(s) {
	case "trace", "debug", "fine", "finer", "finest", "7", "10", "20", "dbg", "d", "verbose", "debug1", "debug2":
		return LevelDebug
	case "info", "notice", "information", "log", "detail", "config", "6", "5", "30", "i", "inf", "statement", "hint", "context":
		return LevelInfo
	case "warn", "warning", "4", "40", "w", "wrn":
		return LevelWarn
	case "error", "err", "3", "50", "e", "severe":
		return LevelError
	case "fatal", "crit", "critical", "alert", "emerg", "panic", "emergency", "2", "1", "0", "60", "f", "dpanic":
		return LevelFatal
	}
	return LevelUnknown
}

// Bounds of what is kept of a line.
const (
	MaxText  = 400 // bytes
	MaxField = 120
)

// Clean makes a text safe to print: one line, no control characters, no escapes of
// terminals, at most so many bytes.
func Clean(s string, most int) string {
	if len(s) > 4*most {
		s = s[:4*most]
	}
	plain := true
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			plain = false
			break
		}
	}
	if !plain {
		s = cleaned(s)
	}
	s = strings.TrimSpace(s)
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

func cleaned(s string) string {
	var b strings.Builder
	space := false
	for i := 0; i < len(s); {
		if s[i] == 0x1b { // an escape sequence goes as a whole
			i += escape(s[i:])
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
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
	return b.String()
}

// escape returns how long the escape sequence at the beginning of s is.
func escape(s string) int {
	if len(s) < 2 {
		return len(s)
	}
	switch s[1] {
	case '[': // CSI: parameters, then a letter
		for i := 2; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
		}
		return len(s)
	case ']', 'P', '_', '^': // OSC and others: to BEL or ESC \
		for i := 2; i < len(s); i++ {
			if s[i] == 7 {
				return i + 1
			}
			if s[i] == 0x1b {
				return min(i+2, len(s))
			}
		}
		return len(s)
	}
	return 2
}

// secretWords come before what must not be kept.
var secretWords = []string{"bearer ", "basic ", "password=", "passwd=", "pwd=", "token=", "secret=", "api_key=", "apikey=", "api-key=", "authorization: ", "access_token=", "\"password\":\"", "\"token\":\"", "cookie: "}

// masked hides what looks like a secret.
func masked(s string) string {
	low := strings.ToLower(s)
	if len(low) != len(s) {
		return s // letters whose cases differ in length: positions would not fit
	}
	for _, w := range secretWords {
		from := 0
		for {
			at := strings.Index(low[from:], w)
			if at < 0 {
				break
			}
			begin := from + at + len(w)
			end := begin
			for end < len(s) && !strings.ContainsRune(" \t,;&\"')}]", rune(s[end])) {
				end++
			}
			from = begin
			if end-begin < 4 || s[begin] == '*' {
				continue
			}
			s, low = s[:begin]+"***"+s[end:], low[:begin]+"***"+low[end:]
		}
	}
	// The password of a URL.
	for from := 0; ; {
		at := strings.Index(s[from:], "://")
		if at < 0 {
			return s
		}
		begin := from + at + 3
		end := begin
		for end < len(s) && !strings.ContainsRune("/ \t\"'?#", rune(s[end])) {
			end++
		}
		from = begin
		if user, password := strings.IndexByte(s[begin:end], ':'), strings.LastIndexByte(s[begin:end], '@'); user >= 0 && password > user {
			s = s[:begin+user+1] + "***" + s[begin+password:]
			from = begin + user + 4
		}
	}
}

// IDIn returns the transaction id of rampload, or the trace id that stands for it, in a
// text; "" without one. Both are made of hexadecimal digits: 16, a dash, 16; or 32.
func IDIn(s string) string {
	run := 0 // digits so far
	for i := 0; i <= len(s); i++ {
		if i < len(s) && Hex(s[i]) {
			run++
			continue
		}
		switch {
		case run == 32:
			return s[i-32 : i]
		case run == 16 && i+17 <= len(s) && s[i] == '-' && allHex(s[i+1:i+17]) && (i+17 == len(s) || !Hex(s[i+17])):
			return s[i-16 : i+17]
		}
		run = 0
	}
	return ""
}

func Hex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' }

func allHex(s string) bool {
	for i := range len(s) {
		if !Hex(s[i]) {
			return false
		}
	}
	return true
}

// layouts of times that loggers write, by what tells them apart at a glance.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999 -0700", "2006-01-02 15:04:05.999999999 MST",
	"2006-01-02 15:04:05.999999999", "2006/01/02 15:04:05.999999999", "02/Jan/2006:15:04:05.999999999 -0700", "02/Jan/2006:15:04:05.999999999",
	"Mon Jan _2 15:04:05.999999 2006", "02 Jan 2006 15:04:05.999",
}

// TimeOf reads a time as loggers write it; the zero time if it is none. Whole is true
// where it has whole seconds only.
func TimeOf(s string) (t time.Time, whole bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 64 {
		return time.Time{}, false
	}
	if digits := strings.TrimLeft(s, "0123456789"); digits == "" || digits[0] == '.' && strings.Trim(digits[1:], "0123456789") == "" {
		return epoch(s)
	}
	s = strings.Replace(s, ",", ".", 1)
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, !strings.Contains(s, ".")
		}
	}
	return time.Time{}, false
}

// epoch reads seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by
// their size.
func epoch(s string) (time.Time, bool) {
	whole, part, fraction := strings.Cut(s, ".")
	var n int64
	for _, c := range whole {
		if n > 1<<59 {
			return time.Time{}, false
		}
		n = 10*n + int64(c-'0')
	}
	switch len(whole) {
	case 10:
		nanos := int64(0)
		for i := range 9 {
			nanos *= 10
			if i < len(part) {
				nanos += int64(part[i] - '0')
			}
		}
		return time.Unix(n, nanos), !fraction
	case 13:
		return time.UnixMilli(n), false
	case 16:
		return time.UnixMicro(n), false
	case 19:
		return time.Unix(0, n), false
	}
	return time.Time{}, false
}
