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
		File: string(bind.Deref(l.File)), Journal: string(bind.Deref(l.Journal)), URL: string(bind.Deref(l.URL)), Query: string(bind.Deref(l.Query)),
		Container: string(bind.Deref(l.Container)), Service: string(bind.Deref(l.Service)), Format: string(bind.Deref(l.Format)),
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
		File: bind.Given(scalar.Text(l.File)), Journal: bind.Given(scalar.Text(l.Journal)), URL: bind.Given(scalar.Text(l.URL)), Query: bind.Given(scalar.Text(l.Query)),
		Container: bind.Given(scalar.Text(l.Container)), Service: bind.Given(scalar.Word(l.Service)), Format: bind.Given(logFormat(l.Format)),
	}}
	if len(l.Fields) > 0 {
		s.Fields = &logNamesSyntax{}
		for _, x := range s.Fields.all() {
			if v, ok := l.Fields[x.name]; ok {
				*x.value = bind.Given(scalar.Text(v))
			}
		}
	}
	return s
}

// logFormat is the form of the lines of a log.
type logFormat string

func (v *logFormat) Parse(text string, _ bool) error {
	if !slices.Contains(profiles.LogFormats, text) {
		return fmt.Errorf("%s is no form of a log: write one of %s, or leave format out", profiles.Cite(text), strings.Join(profiles.LogFormats, ", "))
	}
	*v = logFormat(text)
	return nil
}

func (v *logFormat) Format() (string, bool) { return string(*v), false }
