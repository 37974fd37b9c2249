package yaml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/scalar"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// logSyntax is the path of a file, or the fields of a log.
type logSyntax struct{ logFields }

func (l *logSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	if n.Kind != tree.Scalar {
		d.Fields(bind.ValueOf(&l.logFields), n, key)
		return
	}
	l.File = new(scalar.Text)
	d.Scalar(l.File, n, key)
}

func (l *logSyntax) Node() *tree.Node {
	if (logFields{File: l.File}) == l.logFields && l.File != nil {
		return bind.TextNode(string(*l.File), false)
	}
	return bind.NodeOf(bind.ValueOf(&l.logFields))
}

func (l *logSyntax) log() profiles.Log {
	out := profiles.Log{
		File: string(deref(l.File)), Journal: string(deref(l.Journal)), URL: string(deref(l.URL)), Query: string(deref(l.Query)),
		Container: string(deref(l.Container)), Service: string(deref(l.Service)), Format: string(deref(l.Format)),
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
	value **scalar.Text
}

func (f *logNamesSyntax) all() []logName {
	return []logName{{"time", &f.Time}, {"level", &f.Level}, {"message", &f.Message}, {"service", &f.Service}, {"id", &f.ID}, {"peer", &f.Peer}, {"status", &f.Status}}
}

func logOf(l profiles.Log) logSyntax {
	s := logSyntax{logFields{
		File: given(scalar.Text(l.File)), Journal: given(scalar.Text(l.Journal)), URL: given(scalar.Text(l.URL)), Query: given(scalar.Text(l.Query)),
		Container: given(scalar.Text(l.Container)), Service: given(scalar.Word(l.Service)), Format: given(logFormat(l.Format)),
	}}
	if len(l.Fields) > 0 {
		s.Fields = &logNamesSyntax{}
		for _, x := range s.Fields.all() {
			if v, ok := l.Fields[x.name]; ok {
				*x.value = given(scalar.Text(v))
			}
		}
	}
	return s
}

// logFormat is the form of the lines of a log.
type logFormat string

func (v *logFormat) Parse(text string, _ bool) error {
	if !slices.Contains(profiles.LogFormats, text) {
		return fmt.Errorf("%s is no form of a log: write one of %s, or leave format out", bind.Cite(text), strings.Join(profiles.LogFormats, ", "))
	}
	*v = logFormat(text)
	return nil
}

func (v *logFormat) Format() (string, bool) { return string(*v), false }
