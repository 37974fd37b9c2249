package importer

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/rampload/rampload/profiles"
)

// httpFormat reads vegeta's HTTP format: a line "METHOD URL", then headers, then
// "@file" for the body, up to an empty line or the next target. Lines that begin
// with # are comments.
type httpFormat struct {
	lines *lines
	dir   string // of the file: bodies are relative to it
}

func (f *httpFormat) next() (parsed, error) {
	text := f.lines.peek()
	if text == "" {
		return parsed{}, io.EOF
	}
	f.lines.next()
	t := parsed{line: f.lines.number}
	method, rest, ok := strings.Cut(text, " ")
	if !ok || !isMethod(method) {
		return t, fault(t.line, "%s is no target: write METHOD URL, such as GET http://127.0.0.1:8080/path", quoted(text))
	}
	t.request.Method, t.url = method, strings.TrimSpace(rest)
	for {
		text, ok := f.lines.next()
		if !ok || text == "" {
			break
		}
		if text[0] == '#' {
			continue
		}
		if word, _, cut := strings.Cut(text, " "); cut && isMethod(word) {
			f.lines.back() // the next target, without an empty line between
			break
		}
		if name, isBody := strings.CutPrefix(text, "@"); isBody {
			file, err := f.body(name)
			if err != nil {
				return t, err
			}
			t.request.BodyFile = file
			break
		}
		name, value, ok := strings.Cut(text, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" || value == "" {
			return t, fault(f.lines.number, "%s is neither a header nor a body: write Name: value, or @file", quoted(text))
		}
		t.request.Headers = append(t.request.Headers, profiles.Header{Name: name, Value: value})
	}
	sortHeaders(t.request.Headers)
	return t, nil
}

// isMethod reports whether a word is a method as vegeta's format has it: capitals.
func isMethod(word string) bool {
	for _, c := range []byte(word) {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return word != ""
}

// maxBody is the longest body that is read from a file.
const maxBody = 1 << 30

// body returns the file of a body: below the folder of the targets, else, as vegeta
// has it, below the working directory. It opens it once, so that a mistyped name shows
// before any load.
func (f *httpFormat) body(name string) (string, error) {
	beside := name
	if !filepath.IsAbs(name) {
		beside = filepath.Join(f.dir, name)
	}
	path := beside
	file, err := openRegular(path, maxBody)
	if errors.Is(err, fs.ErrNotExist) && filepath.Clean(name) != beside {
		path = name
		if file, err = openRegular(path, maxBody); errors.Is(err, fs.ErrNotExist) {
			return "", fault(f.lines.number, "the body @%s cannot be read: there is neither %s, beside the targets, nor %s in the working directory", name, beside, name)
		}
	}
	if err != nil {
		return "", fault(f.lines.number, "the body @%s cannot be read: %v", name, err)
	}
	return path, file.Close()
}

// quoted shortens what is shown of a line.
func quoted(text string) string {
	const most = 60
	if len(text) > most {
		text = text[:most] + "..."
	}
	return strings.ToValidUTF8(quote(text), "?")
}
