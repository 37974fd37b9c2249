package meter

import (
	"strings"

	"github.com/rampload/rampload/cmd/internal/meter/family"
)

// builder makes the families of a snapshot, in the order in which they are first told.
type builder struct {
	run   string
	index map[string]int
	seen  map[string]bool // of those that may be there twice
	out   []family.Family
}

// labels are those of a series, with the two that every series has. Values may be of
// others' choosing.
func (b *builder) labels(worker string, pairs ...string) []family.Label {
	for i := 1; i < len(pairs); i += 2 {
		pairs[i] = text(pairs[i])
	}
	return family.Labels(append(pairs, "run", b.run, "worker", text(worker))...)
}

// once adds a level unless there is one with the same labels: text that was cut may be
// the same as another.
func (b *builder) once(name, help string, v float64, labels []family.Label) {
	b.addOnce(family.Gauge, name, help, v, labels)
}

func (b *builder) addOnce(kind family.Kind, name, help string, v float64, labels []family.Label) {
	var key strings.Builder
	key.WriteString(name)
	for _, l := range labels {
		key.WriteString("\x00" + l.Name + "\x00" + l.Value)
	}
	if b.seen[key.String()] {
		return
	}
	b.seen[key.String()] = true
	b.add(kind, name, help, family.Series{Labels: labels, Value: v})
}

func (b *builder) add(kind family.Kind, name, help string, s family.Series) {
	i, known := b.index[name]
	if !known {
		i = len(b.out)
		b.index[name] = i
		b.out = append(b.out, family.Family{Name: name, Help: help, Kind: kind})
	}
	b.out[i].Series = append(b.out[i].Series, s)
}

func (b *builder) counter(name, help string, n uint64, labels []family.Label) {
	b.add(family.Counter, name, help, family.Series{Labels: labels, Value: float64(n)})
}

func (b *builder) gauge(name, help string, v float64, labels []family.Label) {
	b.add(family.Gauge, name, help, family.Series{Labels: labels, Value: v})
}

func (b *builder) histogram(name, help string, d *family.Distribution, labels []family.Label) {
	b.add(family.Histogram, name, help, family.Series{Labels: labels, Histogram: d.Clone()})
}

// mostText bounds a label, in bytes.
const mostText = 160

// text makes a label of what anybody may have chosen: one line, not long.
func text(s string) string {
	plain := len(s) <= mostText
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] >= ' ' && s[i] < 0x7f
	}
	if plain {
		return s
	}
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool { return r <= ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }), " ")
	if len(s) > mostText {
		s = strings.ToValidUTF8(s[:mostText-3], "") + "..."
	}
	return s
}
