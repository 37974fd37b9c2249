package yaml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// logSyntax is the path of a file, or the fields of a log.
type logSyntax struct{ logFields }

func (l *logSyntax) decode(d *decoder, n *tree.Node, key string) {
	if n.Kind != tree.Scalar {
		d.fields(valueOf(&l.logFields), n, key)
		return
	}
	l.File = new(text)
	d.scalar(l.File, n, key)
}

func (l *logSyntax) node() *tree.Node {
	if (logFields{File: l.File}) == l.logFields && l.File != nil {
		return textNode(string(*l.File), false)
	}
	return nodeOf(valueOf(&l.logFields))
}

func (l *logSyntax) log() profiles.Log {
	out := profiles.Log{
		File: string(deref(l.File)), Journal: string(deref(l.Journal)), URL: string(deref(l.URL)), Query: string(deref(l.Query)),
		Service: string(deref(l.Service)), Format: string(deref(l.Format)),
	}
	if f := l.Fields; f != nil {
		for _, x := range f.all() {
			if *x.value != nil {
				if out.Fields == nil {
					out.Fields = map[string]string{}
				}
				out.Fields[x.name] = string(**x.value)
			}
		}
	}
	return out
}

type logName struct {
	name  string
	value **text
}

func (f *logNamesSyntax) all() []logName {
	return []logName{{"time", &f.Time}, {"level", &f.Level}, {"message", &f.Message}, {"service", &f.Service}, {"id", &f.ID}, {"peer", &f.Peer}, {"status", &f.Status}}
}

func logOf(l profiles.Log) logSyntax {
	s := logSyntax{logFields{
		File: given(text(l.File)), Journal: given(text(l.Journal)), URL: given(text(l.URL)), Query: given(text(l.Query)),
		Service: given(word(l.Service)), Format: given(logFormat(l.Format)),
	}}
	if len(l.Fields) > 0 {
		s.Fields = &logNamesSyntax{}
		for _, x := range s.Fields.all() {
			if v, ok := l.Fields[x.name]; ok {
				*x.value = given(text(v))
			}
		}
	}
	return s
}

// logFormat is the form of the lines of a log.
type logFormat string

func (v *logFormat) parse(text string, _ bool) error {
	if !slices.Contains(profiles.LogFormats, text) {
		return fmt.Errorf("%s is no form of a log: write one of %s, or leave format out", cite(text), strings.Join(profiles.LogFormats, ", "))
	}
	*v = logFormat(text)
	return nil
}

func (v *logFormat) format() (string, bool) { return string(*v), false }
