package importer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/rules"
)

// Limits of a file of targets. They keep a mistaken name from filling the memory.
const (
	maxTargets  = 1_000_000
	maxFileSize = 1 << 30
	maxLine     = 16 << 20 // a JSON target carries its body
)

// Expand reads the files that the profile's targets name into [profiles.Target.Read];
// targets with a URL stay as they are. The profile's Redactor hides the credentials
// in what was read.
func Expand(p *profiles.Profile) error {
	for i := range p.Targets {
		t := &p.Targets[i]
		if t.File == "" {
			continue
		}
		read, err := ReadTargets(t.File)
		if err != nil {
			return fmt.Errorf("target %s: %w", t.Name, err)
		}
		t.Read = read
	}
	return nil
}

// ReadTargets reads a file of targets in vegeta's HTTP or JSON format. It returns a
// base for each scheme, host and user, in order of appearance, each request with
// weight 1. Bodies named by @ are files relative to the folder of the file, or else to
// the working directory, as vegeta has it; they are read when requests are compiled.
func ReadTargets(path string) ([]profiles.Base, error) {
	f, err := openRegular(path, maxFileSize)
	if err != nil {
		return nil, fmt.Errorf("read targets: %w", err)
	}
	defer f.Close()
	out, err := parseTargets(path, f)
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has no targets: write lines such as GET http://host/path", path)
	}
	return out, nil
}

// openRegular opens a file that has an end: no device, pipe or directory.
func openRegular(path string, most int64) (*os.File, error) {
	info, err := os.Stat(path) // opening a named pipe would wait for its writer
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder: name a file", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file: name one that has an end", path)
	case info.Size() > most:
		return nil, fmt.Errorf("%s has more than %d MiB: split it", path, most>>20)
	}
	return os.Open(path)
}

// parsed is one target of a file, with the line on which it begins.
type parsed struct {
	line    int
	url     string
	request profiles.Request
}

// format reads one target after the other, and [io.EOF] after the last.
type format interface {
	next() (parsed, error)
}

// lineError is an error on a line of the file.
type lineError struct {
	line int
	text string
}

func (e lineError) Error() string { return fmt.Sprintf("%d: %s", e.line, e.text) }

func fault(line int, format string, args ...any) error {
	return lineError{line, fmt.Sprintf(format, args...)}
}

func parseTargets(path string, src io.Reader) ([]profiles.Base, error) {
	lines := newLines(src)
	var in format = &httpFormat{lines: lines, dir: filepath.Dir(path)}
	if first := lines.peek(); strings.HasPrefix(first, "{") {
		in = &jsonFormat{lines: lines}
	}
	var out bases
	for n := 1; ; n++ {
		t, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && n > maxTargets {
			err = fault(t.line, "more than %d targets: split the file", maxTargets)
		}
		if err == nil {
			err = out.add(t)
		}
		if err != nil {
			return nil, place(path, err)
		}
	}
	if lines.err != nil {
		return nil, place(path, lines.err)
	}
	return out.list, nil
}

// place puts the file before the line of an error.
func place(path string, err error) error {
	var at lineError
	if errors.As(err, &at) {
		return fmt.Errorf("%s:%w", path, err)
	}
	return fmt.Errorf("read targets %s: %w", path, err)
}

// bases collects targets by where they go.
type bases struct {
	list   []profiles.Base
	byBase map[string]int
}

func (b *bases) add(t parsed) error {
	if i := strings.IndexFunc(t.url, func(r rune) bool { return r <= ' ' || r == 0x7f }); i >= 0 {
		if strings.HasPrefix(strings.TrimSpace(t.url[i:]), "HTTP/") {
			return fault(t.line, "the HTTP version behind the URL is not part of it: write %s %s", t.request.Method, t.url[:i])
		}
		return fault(t.line, "%q has a blank or a control character: write blanks as %%20", t.url)
	}
	u, err := url.Parse(t.url)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fault(t.line, "%q is not an http or https URL: write one such as http://127.0.0.1:8080/path", redactURL(t.url))
	}
	if u.Fragment != "" {
		return fault(t.line, "%q has a fragment, which is never sent: leave it out, or write # as %%23", redactURL(t.url))
	}
	root := url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host}
	base := root.String()
	t.request.Path, t.request.Weight = u.RequestURI(), 1
	problems := rules.Base(profiles.Base{URL: base, Requests: []profiles.Request{t.request}})
	if len(problems) > 0 {
		return fault(t.line, "%s", problems[0].Message)
	}
	i, known := b.byBase[base]
	if !known {
		if b.byBase == nil {
			b.byBase = make(map[string]int)
		}
		i = len(b.list)
		b.byBase[base] = i
		b.list = append(b.list, profiles.Base{URL: base})
	}
	b.list[i].Requests = append(b.list[i].Requests, t.request)
	return nil
}

// redactURL hides the user of a URL that is shown in a message.
func redactURL(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		scheme, rest = "", text
	}
	authority, tail, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		rest = "REDACTED" + authority[i:]
		if tail != "" {
			rest += "/" + tail
		}
	}
	if ok {
		return scheme + "://" + rest
	}
	return rest
}

// sortHeaders puts headers in a fixed order; those of one name stay as they were.
func sortHeaders(headers []profiles.Header) {
	slices.SortStableFunc(headers, func(a, b profiles.Header) int { return strings.Compare(a.Name, b.Name) })
}

// lines reads a file line by line, without the blanks around a line.
type lines struct {
	src    *bufio.Scanner
	ahead  bool // current was peeked at and not yet taken
	ended  bool
	text   string
	number int
	err    error
}

func newLines(src io.Reader) *lines {
	s := bufio.NewScanner(src)
	s.Buffer(make([]byte, 0, 64<<10), maxLine)
	return &lines{src: s}
}

// peek returns the next line that is neither empty nor a comment, and leaves it
// there: empty at the end.
func (l *lines) peek() string {
	for {
		text, ok := l.next()
		if !ok {
			return ""
		}
		if text != "" && text[0] != '#' {
			l.ahead = true
			return text
		}
	}
}

// next returns the next line, and false at the end or after an error.
func (l *lines) next() (string, bool) {
	if l.ahead {
		l.ahead = false
		return l.text, true
	}
	if l.ended {
		return "", false
	}
	if !l.src.Scan() {
		l.ended = true
		if err := l.src.Err(); errors.Is(err, bufio.ErrTooLong) {
			l.err = fault(l.number+1, "the line is longer than %d MiB: is this a file of targets?", maxLine>>20)
		} else if err != nil {
			l.err = err
		}
		return "", false
	}
	l.number++
	raw := l.src.Bytes()
	if l.number == 1 && utf16(raw) {
		l.ended = true
		l.err = fault(1, "this is UTF-16: save the file as UTF-8")
		return "", false
	}
	if bytes.IndexByte(raw, 0) >= 0 {
		l.ended = true
		l.err = fault(l.number, "the line has a zero byte: this is no file of targets")
		return "", false
	}
	if l.number == 1 {
		raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")) // editors of Windows mark UTF-8 with it
	}
	l.text = strings.TrimSpace(string(raw))
	return l.text, true
}

// back has next return the line once more.
func (l *lines) back() { l.ahead = true }
