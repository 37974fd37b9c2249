package section

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/scalar"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// LogSyntax is the path of a file, or the fields of a log.
type LogSyntax struct{ LogFields }

// LogFields are the keys of a log.
type LogFields struct {
	File      *scalar.Text    `yaml:"file" about:"Path of a file, or a glob of several. Rotation is followed."`
	Container *scalar.Text    `yaml:"container" about:"Name of a container (docker, podman, Kubernetes), or the beginning of its id, whose log its runtime keeps."`
	Journal   *scalar.Text    `yaml:"journal" about:"Systemd unit whose journal is read, such as payments.service; all: the whole journal."`
	URL       *scalar.Text    `yaml:"url" about:"URL of a store of logs: VictoriaLogs or Loki."`
	Query     *scalar.Text    `yaml:"query" about:"What is asked of the store, in its language, such as {app=\"payments\"}."`
	Service   *scalar.Word    `yaml:"service" about:"Who writes the log. Without it: as the lines say, else by the name of the file or unit."`
	Format    *logFormat      `yaml:"format" about:"Form of the lines. Without it: found by the lines themselves."`
	Fields    *logNamesSyntax `yaml:"fields" about:"Names of the fields of JSON lines, where they are none of the usual."`
}

type logNamesSyntax struct {
	Time    *scalar.Text `yaml:"time" about:"Field with the time."`
	Level   *scalar.Text `yaml:"level" about:"Field with the level."`
	Message *scalar.Text `yaml:"message" about:"Field with the text."`
	Service *scalar.Text `yaml:"service" about:"Field with the service."`
	ID      *scalar.Text `yaml:"id" about:"Field with the transaction id."`
	Peer    *scalar.Text `yaml:"peer" about:"Field with the other end."`
	Status  *scalar.Text `yaml:"status" about:"Field with the status that was answered."`
}

// Decode implements [bind.Syntax].
func (l *LogSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	if n.Kind != tree.Scalar {
		d.Fields(bind.ValueOf(&l.LogFields), n, key)
		return
	}
	l.File = new(scalar.Text)
	d.Scalar(l.File, n, key)
}

// Node implements [bind.Syntax].
func (l *LogSyntax) Node() *tree.Node {
	if (LogFields{File: l.File}) == l.LogFields && l.File != nil {
		return bind.TextNode(string(*l.File), false)
	}
	return bind.NodeOf(bind.ValueOf(&l.LogFields))
}

// Log is what it stands for.
func (l *LogSyntax) Log() profiles.Log {
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

// LogOf is the inverse of Log.
func LogOf(l profiles.Log) LogSyntax {
	s := LogSyntax{LogFields{
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

// Parse implements [bind.Value].
func (v *logFormat) Parse(text string, _ bool) error {
	if !slices.Contains(profiles.LogFormats, text) {
		return fmt.Errorf("%s is no form of a log: write one of %s, or leave format out", profiles.Cite(text), strings.Join(profiles.LogFormats, ", "))
	}
	*v = logFormat(text)
	return nil
}

// Format implements [bind.Value].
func (v *logFormat) Format() (string, bool) { return string(*v), false }
