package parse

import (
	"cmp"
	"slices"
	"strings"
)

// Field is a field of a record beside its text.
type Field struct{ Name, Value string }

// Record reads what a store keeps of a line: its text, which is parsed like any line, and
// the fields that it was given or that the store took out of it. What the text says counts
// before what fields say of the same. An empty text is that of the field for it.
func (p *Parser) Record(text string, fields []Field) Entry {
	g := gathered{names: p.Fields}
	for _, f := range fields {
		g.add(f.Name, f.Value)
	}
	said := g.e.Text
	if p.Fields.Message != "" && said != "" || text == "" {
		text = said
	}
	g.e.Text = ""
	of, e := g.entry(), p.Parse(folded(text))
	if e.Level == LevelUnknown && (of.Level != LevelInfo || e.Format != "text" || !journald(fields)) {
		e.Level = of.Level
	}
	if IDIn(e.ID) == "" {
		e.ID = cmp.Or(of.ID, e.ID)
	}
	if e.Status == 0 {
		e.Status = of.Status
	}
	e.Service, e.Peer = cmp.Or(e.Service, of.Service, writerIn(fields)), cmp.Or(e.Peer, of.Peer)
	if of.Text != "" && !strings.Contains(e.Text, of.Text) {
		e.Text = Joined(e.Text, of.Text)
	}
	if e.Tells() && IDIn(strings.ToLower(e.ID)) == "" && IDIn(e.raw) == "" {
		e.ID = cmp.Or(IDIn(text), idAmong(fields), e.ID)
	}
	return e
}

// idAmong returns the id of a transaction that stands under a name that nobody knows.
func idAmong(fields []Field) string {
	for _, f := range fields {
		if id := IDIn(f.Value); id != "" {
			return id
		}
	}
	return ""
}

// journald reports whether a record came from the journal, which calls all that is printed
// "info".
func journald(fields []Field) bool {
	return slices.ContainsFunc(fields, func(f Field) bool { return f.Name == "PRIORITY" })
}

// folded makes one line of a text of several: of a stack trace what says why.
func folded(text string) string {
	first, rest, several := strings.Cut(strings.TrimRight(text, " \t\r\n"), "\n")
	if !several || strings.HasPrefix(first, "{") {
		return text
	}
	if BeginsTraceback(strings.TrimSpace(first)) {
		lines := strings.Split(rest, "\n")
		for _, line := range slices.Backward(lines) {
			if EndsTraceback(line) {
				return strings.TrimSuffix(strings.TrimSpace(first), "Traceback (most recent call last):") + line
			}
		}
	}
	for line := range strings.Lines(rest) {
		line = strings.TrimRight(line, "\r\n")
		if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "Caused by:") || trimmed != "" && !Continues(line) {
			first += " " + trimmed
		}
		if len(first) > 2*MaxText {
			break
		}
	}
	return first
}

// writers are labels that those who ship lines add, in the form of nameOf, which name who
// wrote them where the service does not: the most telling first.
var writers = [...]string{"container", "containername", "kubernetes.containername", "k8s.container.name", "docker.containername", "systemdunit", "unit", "syslogidentifier", "job", "pod", "kubernetes.podname", "k8s.pod.name"}

// writerIn returns who wrote a record as labels name them, "" if none does.
func writerIn(fields []Field) string {
	best, who := len(writers), ""
	for _, f := range fields {
		name := nameOf(f.Name)
		for i, w := range writers[:best] {
			if name == w && f.Value != "" {
				best, who = i, strings.TrimSuffix(f.Value, ".service")
			}
		}
	}
	return who
}
