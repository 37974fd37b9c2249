package parse

import (
	"regexp"
	"strings"
)

// Parser reads lines of one log. The zero value finds the format by itself. It belongs to
// one goroutine.
type Parser struct {
	Fields Fields
	// Format is one that lines are known to have: "json", "access", "haproxy", "text"; empty: found.
	Format string
}

// Parse reads a line without its end. A line that is no text of any known form is kept as
// it is.
func (p *Parser) Parse(line string) Entry {
	line = uncoloured(unwrapped(line))
	e := p.parse(line)
	e.raw = line
	return e
}

func (p *Parser) parse(line string) Entry {
	if p.Format == "" || p.Format == "json" {
		if at := strings.IndexByte(line, '{'); at >= 0 && (at == 0 || at < 120 && p.Format != "json" && strings.HasSuffix(line, "}") && strings.HasPrefix(line[at:], `{"`)) {
			if e, ok := parseJSON(line[at:], p.Fields); ok {
				return e
			}
		}
	}
	if p.Format == "" || p.Format == "haproxy" {
		if strings.Contains(line, "/") && strings.Contains(line, "] ") {
			if e, ok := parseHAProxy(line); ok {
				return e
			}
		}
	}
	if p.Format == "" || p.Format == "access" || p.Format == "envoy" {
		if e, ok := parseAccess(line); ok {
			return e
		}
	}
	return parseText(line)
}

// uncoloured takes the escape sequences of terminals out of a line: a level in colour is a
// level.
func uncoloured(line string) string {
	if strings.IndexByte(line, 0x1b) < 0 {
		return line
	}
	b := make([]byte, 0, len(line))
	for i := 0; i < len(line); {
		if line[i] == 0x1b {
			i += escape(line[i:])
			continue
		}
		b = append(b, line[i])
		i++
	}
	return string(b)
}

// unwrapped takes off what containers' runtimes write before a line: the form of the CRI
// ("2026-11-29T10:00:00.1Z stderr F text").
func unwrapped(line string) string {
	if len(line) < 32 || line[0] != '2' || line[4] != '-' {
		return line
	}
	for _, stream := range []string{" stdout F ", " stderr F ", " stdout P ", " stderr P "} {
		if at := strings.Index(line[:min(len(line), 60)], stream); at > 19 && at < 40 {
			return line[at+len(stream):]
		}
	}
	return line
}

// heads are what loggers write before the text, by its form. The groups are time, level.
var heads = []struct {
	format string
	head   *regexp.Regexp
}{
	{"nginx", regexp.MustCompile(`^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(\w+)\] \d+#\d+: (?:\*\d+ )?`)},
	{"apache", regexp.MustCompile(`^\[(\w{3} \w{3} +\d+ \d\d:\d\d:\d\d(?:\.\d+)? \d{4})\] \[[\w.-]*:(\w+)\] (?:\[pid \d+(?::tid \d+)?\] )?(?:\[(?:client|remote) [^\]]*\] )?`)},
	{"gunicorn", regexp.MustCompile(`^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4})\] \[\d+\] \[(\w+)\] `)},
	{"postgresql", regexp.MustCompile(`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? \S{1,6}) (?:\[[^\]]*\] )?.{0,80}?(DEBUG\d?|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC|DETAIL|HINT|STATEMENT|CONTEXT): +`)},
	{"redis", regexp.MustCompile(`^\d+:[A-Z] (\d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3}) ([.*#-]) `)},
	{"go", regexp.MustCompile(`^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?) (?:(?:\[?(DEBUG|INFO|WARN|WARNING|ERROR|FATAL)\]?:? )|(?:[\w./-]+\.go:\d+: ))?`)},
	{"python", regexp.MustCompile(`^(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?) *(?:[-\[] ?)?(?:[\w.]+ - )?(?:\[[^\]]*\] )?(TRACE|DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL|SEVERE)\]?[ :-]+`)},
	{"php", regexp.MustCompile(`^\[(\d\d-\w{3}-\d{4} \d\d:\d\d:\d\d(?:\.\d+)?)\] (\w+): `)},
	{"kernel", regexp.MustCompile(`^\[ *(\d+\.\d{6})\] ()`)},
	{"syslog", regexp.MustCompile(`^(\w{3} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*) [\w.-]+ [\w./()-]+(?:\[\d+\])?: ()`)},
	{"logfmt", regexp.MustCompile(`^(?:time|ts)=("[^"]{1,40}"|\S{1,40}) level=(\w+) `)},
}

// redisLevels are the signs of Redis' levels.
var redisLevels = map[string]Level{".": LevelDebug, "-": LevelDebug, "*": LevelInfo, "#": LevelWarn}

// parseText reads a line of text: its level by a look at its beginning. The rest is read
// when the line is kept (see [Entry.finish]).
func parseText(line string) Entry {
	e := Entry{Format: "text", Text: line}
	low := line[:min(len(line), 160)]
	e.Level = glance(low)
	return e
}

// glance finds the word of a level at the beginning of a line.
func glance(s string) Level {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case 'e', 'E':
			switch {
			case word(s, i, "error"):
				return LevelError
			case word(s, i, "emerg"):
				return LevelFatal
			}
		case 'f', 'F':
			if word(s, i, "fatal") {
				return LevelFatal
			}
		case 'c', 'C':
			if word(s, i, "crit") || word(s, i, "critical") {
				return LevelFatal
			}
		case 'a', 'A':
			if word(s, i, "alert") {
				return LevelFatal
			}
		case 'p', 'P':
			if word(s, i, "panic") {
				return LevelFatal
			}
		case 's', 'S':
			if word(s, i, "severe") {
				return LevelError
			}
		case 'w', 'W':
			if word(s, i, "warn") || word(s, i, "warning") {
				return LevelWarn
			}
		case 'i', 'I':
			if word(s, i, "info") {
				return LevelInfo
			}
		case 'n', 'N':
			if word(s, i, "notice") {
				return LevelInfo
			}
		case 'l', 'L':
			if word(s, i, "log") && strings.HasPrefix(s[i+3:], ":") {
				return LevelInfo
			}
		case 'd', 'D':
			if word(s, i, "debug") {
				return LevelDebug
			}
		case '#':
			if i > 4 && i+1 < len(s) && s[i-1] == ' ' && s[i+1] == ' ' {
				return LevelWarn // Redis
			}
		}
	}
	return LevelUnknown
}

// word reports whether a word stands at i as a level does: by itself, in one case, and
// set off by a sign ("[error]", "ERROR:", " ERROR ", "level=error").
func word(s string, i int, w string) bool {
	if len(s) < i+len(w) || !strings.EqualFold(s[i:i+len(w)], w) {
		return false
	}
	if i > 0 && letter(s[i-1]) || i+len(w) < len(s) && letter(s[i+len(w)]) {
		return false
	}
	upper := s[i] >= 'A' && s[i] <= 'Z' && s[i+1] >= 'A' && s[i+1] <= 'Z'
	set := i > 0 && (s[i-1] == '[' || s[i-1] == ':' || s[i-1] == '=' || s[i-1] == '"')
	return upper || set || i == 0 && i+len(w) < len(s) && s[i+len(w)] == ':'
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }

// suspicious are parts of words that lines without a level are kept for.
var suspicious = []string{
	"rror", "ail", "xception", "anic", "atal", "imeout", "imed out", "efused", "reset", "enied", " full", "imit", "illed", "raceback", "ut of ", "nable to", "annot", "xceed", "overflow", "segfault", "dropp", "TIMEOUT", "FAIL", "EXCEPTION", "REFUSED",
	"not available", "signal", "DOWN", "too many", "Too many", "SYN flooding", "core dumped", "oom", "OOM", "No space", "no live",
	"navailable", "ejected by", "blocked for more than", "lockup", "ead-only", "too quickly", "eadlock", "martian", "xpired", "xhausted", "epleted", "nhealthy", "NXDOMAIN", "SERVFAIL", "Link is Down", "not permitted", "revoked", "nvalid",
}

// Tells reports whether a line may tell of a fault.
func (e *Entry) Tells() bool {
	switch {
	case e.Odd, e.Level >= LevelWarn:
		return true
	case e.Status != 0:
		return e.Status >= 500 || e.Status < 0 || e.Status == 499 || telling4xx(e.Status)
	case e.Level == LevelInfo || e.Level == LevelDebug:
		return false
	}
	for _, s := range suspicious {
		if strings.Contains(e.Text, s) {
			return true
		}
	}
	return false
}

func telling4xx(status int) bool {
	switch status {
	case 400, 401, 403, 407, 408, 411, 413, 414, 421, 425, 426, 429, 431, 460, 463:
		return true
	}
	return false
}

// Finish reads of a line that is kept what costs more: its head, its id, and makes it safe
// to print.
func (e *Entry) Finish() {
	raw := e.Text
	if e.Format == "text" {
		for _, h := range heads {
			m := h.head.FindStringSubmatch(raw)
			if m == nil {
				continue
			}
			e.Format, e.Time = h.format, strings.Trim(m[1], "\"")
			if l, ok := redisLevels[m[2]]; ok {
				e.Level = l
			} else if l := LevelOf(m[2]); l != LevelUnknown {
				e.Level = l
			}
			e.Text = raw[len(m[0]):]
			break
		}
	}
	if e.ID == "" {
		e.ID = IDIn(e.raw)
	} else if id := IDIn(strings.ToLower(e.ID)); id != "" {
		e.ID = id
	}
	e.Text = Clean(masked(e.Text), MaxText)
	e.ID, e.Peer, e.Service = Clean(e.ID, 64), Clean(e.Peer, MaxField), Clean(e.Service, 60)
}

// Continues reports whether a line goes on with the one before: a stack trace, a wrapped
// text.
func Continues(line string) bool {
	if line == "" {
		return false
	}
	switch line[0] {
	case ' ', '\t':
		return true
	}
	return strings.HasPrefix(line, "Caused by:") || strings.HasPrefix(line, "goroutine ") || strings.HasPrefix(line, "created by ") ||
		strings.HasPrefix(line, "... ") || strings.HasPrefix(line, "During handling of")
}

// exceptionLine is the last line of a Python traceback: the name of an exception, and
// what it says. All lines before it are indented.
var exceptionLine = regexp.MustCompile(`^[A-Za-z_][\w.]{2,80}(: |:?$)`)

// EndsTraceback reports whether a line that follows "Traceback" is its last.
func EndsTraceback(line string) bool { return exceptionLine.MatchString(line) }

// BeginsTraceback reports whether what follows a line is a Python traceback.
func BeginsTraceback(line string) bool {
	return strings.HasSuffix(strings.TrimRight(line, " "), "Traceback (most recent call last):")
}

// LinksTracebacks reports whether a line stands between two tracebacks of which the first
// led to the second.
func LinksTracebacks(line string) bool {
	return strings.HasPrefix(line, "During handling of the above exception") || strings.HasPrefix(line, "The above exception was the direct cause")
}
