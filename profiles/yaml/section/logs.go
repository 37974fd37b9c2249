package section

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/scalar"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

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

// Logs is a list of logs, one log, or none.
type Logs []LogSyntax

// noLogs is what says that no log is read.
const noLogs = "none"

func (l *Logs) Decode(d *bind.Decoder, n *tree.Node, key string) {
	items := n.Items
	switch {
	case n.Kind == tree.Null:
		return
	case n.Kind == tree.Scalar && n.Text == noLogs:
		*l = Logs{{none: true}}
		return
	case n.Kind != tree.Sequence:
		items = []*tree.Node{n}
	}
	for i, item := range items {
		if item.Kind == tree.Null {
			d.Problem(item.At, key, "entry %d is empty: write it, or leave out the \"-\"", i+1)
			continue
		}
		var one LogSyntax
		one.Decode(d, item, key)
		*l = append(*l, one)
	}
}

func (l *Logs) Node() *tree.Node {
	if len(*l) == 1 && (*l)[0].none {
		return bind.TextNode(noLogs, false)
	}
	n := &tree.Node{Kind: tree.Sequence}
	for i := range *l {
		n.Items = append(n.Items, (*l)[i].Node())
	}
	return n
}

// To puts the logs into a host.
func (l *Logs) To(h *profiles.Host) {
	for i := range *l {
		if (*l)[i].none {
			h.NoLogs = true
			continue
		}
		h.Logs = append(h.Logs, (*l)[i].log())
	}
}

// LogsOf is the inverse of [Logs.To].
func LogsOf(h profiles.Host) Logs {
	if h.NoLogs {
		return Logs{{none: true}}
	}
	var out Logs
	for _, l := range h.Logs {
		out = append(out, logOf(l))
	}
	return out
}

// LogSyntax is the path of a file, or the fields of a log.
type LogSyntax struct {
	LogFields
	none bool
}

func (l *LogSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	if n.Kind != tree.Scalar {
		d.Fields(bind.ValueOf(&l.LogFields), n, key)
		return
	}
	l.File = new(scalar.Text)
	d.Scalar(l.File, n, key)
}

func (l *LogSyntax) Node() *tree.Node {
	if (LogFields{File: l.File}) == l.LogFields && l.File != nil {
		return bind.TextNode(string(*l.File), false)
	}
	return bind.NodeOf(bind.ValueOf(&l.LogFields))
}

func (l *LogSyntax) log() profiles.Log {
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

func logOf(l profiles.Log) LogSyntax {
	s := LogSyntax{LogFields: LogFields{
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
		return fmt.Errorf("%s is no form of a log: write one of %s, or leave format out", spelling.Cite(text), strings.Join(profiles.LogFormats, ", "))
	}
	*v = logFormat(text)
	return nil
}

func (v *logFormat) Format() (string, bool) { return string(*v), false }
