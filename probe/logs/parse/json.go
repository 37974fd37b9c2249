package parse

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Fields names the fields of JSON lines that are not called as common loggers call them.
// Empty: found by the usual names.
type Fields struct {
	Time, Level, Message, Service, ID, Peer, Status string
}

// field is what a field of a JSON line is.
type field uint8

const (
	other field = iota
	fieldTime
	FieldLevel
	fieldMessage
	FieldService
	FieldID
	FieldTrace
	FieldPeer
	FieldAddress
	FieldStatus
	FieldError
	fieldStack
)

// usual are the names of fields as common loggers write them, in lower case and without
// what separates words: zap, zerolog, logrus, slog, log4j and logback (ECS, logstash),
// Serilog, Bunyan, Pino, Winston, structlog, GELF, Docker, nginx and Envoy as people
// configure them, and the format of rampload's own failures.
var usual = map[string]field{
	"time": fieldTime, "timestamp": fieldTime, "ts": fieldTime, "@timestamp": fieldTime, "t": fieldTime, "@t": fieldTime, "datetime": fieldTime, "date": fieldTime, "asctime": fieldTime, "starttime": fieldTime,
	"level": FieldLevel, "severity": FieldLevel, "lvl": FieldLevel, "loglevel": FieldLevel, "log.level": FieldLevel, "levelname": FieldLevel, "@l": FieldLevel, "severitytext": FieldLevel, "priority": FieldLevel,
	"message": fieldMessage, "msg": fieldMessage, "event": fieldMessage, "text": fieldMessage, "shortmessage": fieldMessage, "@m": fieldMessage, "log": fieldMessage, "body": fieldMessage, "@mt": fieldMessage,
	"service": FieldService, "app": FieldService, "application": FieldService, "servicename": FieldService, "service.name": FieldService, "component": FieldService, "appname": FieldService, "facility": FieldService,
	"transactionid": FieldID, "xtransactionid": FieldID, "requestid": FieldID, "reqid": FieldID, "correlationid": FieldID, "xrequestid": FieldID, "transaction.id": FieldID, "req.id": FieldID, "request.id": FieldID, "txid": FieldID, "http.request.id": FieldID,
	"traceid": FieldTrace, "trace.id": FieldTrace, "traceparent": FieldTrace, "otel.traceid": FieldTrace, "dd.traceid": FieldTrace,
	"peer": FieldPeer, "upstream": FieldPeer, "upstreamaddr": FieldPeer, "upstreamhost": FieldPeer, "upstreamcluster": FieldPeer, "destination": FieldPeer, "destination.address": FieldPeer, "netpeername": FieldPeer, "net.peer.name": FieldPeer,
	"remoteaddress": FieldAddress, "server.address": FieldAddress, "peeraddress": FieldAddress,
	"status": FieldStatus, "statuscode": FieldStatus, "httpstatus": FieldStatus, "responsecode": FieldStatus, "res.statuscode": FieldStatus, "http.response.statuscode": FieldStatus, "response.status": FieldStatus, "http.statuscode": FieldStatus,
	"error": FieldError, "err": FieldError, "exception": FieldError, "error.message": FieldError, "err.message": FieldError, "exception.message": FieldError, "errormessage": FieldError, "cause": FieldError, "reason": FieldError, "excinfo": FieldError, "@x": FieldError, "err.code": FieldError, "fault": FieldError, "responseflags": FieldError,
	"stack": fieldStack, "stacktrace": fieldStack, "error.stacktrace": fieldStack, "err.stack": fieldStack, "exception.stacktrace": fieldStack, "fullmessage": fieldStack,
}

// nameOf normalises the name of a field: fields of loggers differ in case and in what
// separates words.
func nameOf(s string) string {
	plain := true
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' || c == '_' || c == '-' {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	b := make([]byte, 0, 32)
	for i := 0; i < len(s) && len(b) < 64; i++ {
		switch c := s[i]; {
		case c == '_', c == '-':
		case c >= 'A' && c <= 'Z':
			b = append(b, c+'a'-'A')
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

func (f Fields) Of(name string) field {
	if f == (Fields{}) {
		return usual[nameOf(name)]
	}
	for _, x := range []struct {
		given string
		is    field
	}{{f.Time, fieldTime}, {f.Level, FieldLevel}, {f.Message, fieldMessage}, {f.Service, FieldService}, {f.ID, FieldID}, {f.Peer, FieldPeer}, {f.Status, FieldStatus}} {
		if x.given != "" && x.given == name {
			return x.is
		}
	}
	return usual[nameOf(name)]
}

// parseJSON reads a JSON object on one line; ok is false if it is none.
func parseJSON(line string, names Fields) (Entry, bool) {
	g := gathered{names: names}
	s := Scanner{S: line}
	if !s.Object("", g.add) {
		return Entry{}, false
	}
	return g.entry(), true
}

// gathered is what the fields of a line say, as far as they have come.
type gathered struct {
	names                         Fields
	e                             Entry
	failed, stack, trace, address string
}

func (g *gathered) add(name, value string) {
	e := &g.e
	switch g.names.Of(name) {
	case fieldTime:
		if e.Time == "" {
			e.Time = value
		}
	case FieldLevel:
		if l := LevelOf(value); l != LevelUnknown && e.Level == LevelUnknown {
			e.Level = l
		}
	case fieldMessage:
		if e.Text == "" {
			e.Text = value
		}
	case FieldService:
		if e.Service == "" {
			e.Service = value
		}
	case FieldID:
		if e.ID == "" {
			e.ID = value
		}
	case FieldTrace:
		g.trace = value
	case FieldPeer:
		if e.Peer == "" {
			e.Peer = value
		}
	case FieldAddress:
		g.address = value
	case FieldStatus:
		if n, err := strconv.Atoi(value); err == nil && n >= 100 && n <= 599 {
			e.Status = n
		}
	case FieldError:
		if value != "" && value != "-" && !strings.Contains(g.failed, value) {
			g.failed = Joined(g.failed, value)
		}
	case fieldStack:
		g.stack = value
	}
}

// entry returns the line.
func (g *gathered) entry() Entry {
	e := g.e
	e.Format = "json"
	if g.failed != "" && !strings.Contains(e.Text, g.failed) {
		e.Text = Joined(e.Text, g.failed)
	}
	if g.stack != "" {
		e.Text = Joined(e.Text, causesOf(g.stack))
	}
	if g.address != "" {
		e.Peer = g.address // a name may be of many
	}
	if e.ID == "" || IDIn(e.ID) == "" && IDIn(g.trace) != "" {
		e.ID = g.trace
	}
	return e
}

func Joined(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + ": " + b
}

// causesOf returns the lines of a stack trace that say why: the first, the last exception
// and those that others were caused by.
func causesOf(stack string) string {
	var out []string
	for line := range strings.Lines(stack) {
		line = strings.TrimSpace(line)
		if len(out) == 0 && line != "" || strings.HasPrefix(line, "Caused by:") {
			out = append(out, line)
		}
		if len(out) == 4 {
			break
		}
	}
	return strings.Join(out, " ")
}

// Scanner reads JSON without building it: fields of objects in objects are called
// "outer.inner".
type Scanner struct {
	S     string
	at    int
	depth int
	count int
	// bytes has lists of numbers read as the bytes of a text, and of lists of texts the
	// first: journalctl writes so what it cannot print, and what is there twice.
	Bytes bool
}

// maxNested and maxFields bound what a hostile line can cost.
const maxNested, maxFields = 4, 200

func (s *Scanner) space() {
	for s.at < len(s.S) && (s.S[s.at] == ' ' || s.S[s.at] == '\t' || s.S[s.at] == '\r' || s.S[s.at] == '\n') {
		s.at++
	}
}

func (s *Scanner) is(c byte) bool {
	s.space()
	if s.at < len(s.S) && s.S[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *Scanner) Object(prefix string, emit func(name, value string)) bool {
	if !s.is('{') {
		return false
	}
	if s.is('}') {
		return true
	}
	for {
		s.space()
		name, ok := s.text()
		if !ok || !s.is(':') {
			return false
		}
		if prefix != "" {
			name = prefix + "." + name
		}
		if s.count++; s.count > maxFields || !s.value(name, emit) {
			return false
		}
		if s.is('}') {
			return true
		}
		if !s.is(',') {
			return false
		}
	}
}

func (s *Scanner) value(name string, emit func(name, value string)) bool {
	s.space()
	if s.at >= len(s.S) {
		return false
	}
	switch s.S[s.at] {
	case '"':
		v, ok := s.text()
		if ok {
			emit(name, v)
		}
		return ok
	case '{':
		if s.depth++; s.depth > maxNested {
			return false
		}
		ok := s.Object(name, emit)
		s.depth--
		return ok
	case '[':
		begin := *s
		if v, ok := s.list(); ok && s.Bytes {
			emit(name, v)
			return true
		}
		*s = begin
		return s.skip()
	}
	begin := s.at
	for s.at < len(s.S) && !strings.ContainsRune(",}] \t\r\n", rune(s.S[s.at])) {
		s.at++
	}
	if v := s.S[begin:s.at]; v != "null" {
		emit(name, v)
	}
	return s.at > begin
}

// list reads a list of numbers as bytes, or the first of a list of texts.
func (s *Scanner) list() (text string, ok bool) {
	if !s.Bytes || !s.is('[') {
		return "", false
	}
	var b []byte
	for !s.is(']') {
		s.space()
		if len(b) == 0 && s.at < len(s.S) && (s.S[s.at] == '"' || s.S[s.at] == '[') {
			if s.S[s.at] == '[' {
				text, ok = s.list()
			} else {
				text, ok = s.text()
			}
			for ok && !s.is(']') { // the others
				ok = s.is(',') && s.value("", func(string, string) {})
			}
			return text, ok
		}
		n, digits := 0, s.at
		for s.at < len(s.S) && s.S[s.at] >= '0' && s.S[s.at] <= '9' && n < 256 {
			n = 10*n + int(s.S[s.at]-'0')
			s.at++
		}
		if s.at == digits || n > 255 {
			return "", false
		}
		b = append(b, byte(n))
		s.is(',')
	}
	return string(b), true
}

// skip passes over a list.
func (s *Scanner) skip() bool {
	depth := 0
	for s.at < len(s.S) {
		switch s.S[s.at] {
		case '"':
			if _, ok := s.text(); !ok {
				return false
			}
			continue
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				s.at++
				return true
			}
		}
		s.at++
	}
	return false
}

// text reads a string.
func (s *Scanner) text() (string, bool) {
	if s.at >= len(s.S) || s.S[s.at] != '"' {
		return "", false
	}
	begin := s.at + 1
	for i := begin; i < len(s.S); i++ {
		switch s.S[i] {
		case '"':
			s.at = i + 1
			return s.S[begin:i], true
		case '\\':
			return s.escaped(begin)
		}
	}
	return "", false
}

func (s *Scanner) escaped(begin int) (string, bool) {
	var b strings.Builder
	for i := begin; i < len(s.S); i++ {
		c := s.S[i]
		switch {
		case c == '"':
			s.at = i + 1
			return b.String(), true
		case c != '\\':
			b.WriteByte(c)
			continue
		}
		if i++; i >= len(s.S) {
			break
		}
		switch s.S[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r', 'b', 'f':
			b.WriteByte(' ')
		case 'u':
			r, n := rune4(s.S[i+1:])
			if n == 0 {
				return "", false
			}
			i += n
			if utf16.IsSurrogate(r) && strings.HasPrefix(s.S[i+1:], `\u`) {
				if low, n := rune4(s.S[i+3:]); n > 0 {
					if whole := utf16.DecodeRune(r, low); whole != utf8.RuneError {
						r = whole
						i += 2 + n
					}
				}
			}
			b.WriteRune(r)
		default:
			b.WriteByte(s.S[i])
		}
	}
	return "", false
}

func rune4(s string) (rune, int) {
	if len(s) < 4 {
		return 0, 0
	}
	v, err := strconv.ParseUint(s[:4], 16, 32)
	if err != nil {
		return 0, 0
	}
	return rune(v), 4
}
