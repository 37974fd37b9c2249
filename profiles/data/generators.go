package data

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles/spelling"
)

// Generator describes one source of made-up values.
type Generator struct {
	Name    string // with its family, such as random.int
	Args    ArgKind
	Example string // as it is written
	About   string
}

// ArgKind says what stands between the parentheses of a generator.
type ArgKind uint8

// The kinds of arguments.
const (
	NoArgs ArgKind = iota
	Span           // 1..100
	Length         // 16
	Choice         // a|b|c
	Shift          // a duration, forwards or back, which may be left out
)

// Families are the sources of generators: no table and no step has such a name.
func Families() []string { return []string{"random", "time", "request", "fake", "callback"} }

// Generators returns all generators.
func Generators() []Generator {
	out := []Generator{
		{"random.uuid", NoArgs, "${random.uuid}", "a UUID, version 4"},
		{"random.int", Span, "${random.int(1..100)}", "a whole number within the span, both ends included"},
		{"random.hex", Length, "${random.hex(16)}", "so many hex digits"},
		{"random.letters", Length, "${random.letters(8)}", "so many lower-case letters"},
		{"random.digits", Length, "${random.digits(6)}", "so many digits"},
		{"random.of", Choice, "${random.of(red|green|blue)}", "one of the words"},
		{"time.unix", Shift, "${time.unix}", "seconds since 1970"},
		{"time.ms", Shift, "${time.ms}", "milliseconds since 1970"},
		{"time.rfc3339", Shift, "${time.rfc3339(+24h)}", "date and time, here of tomorrow"},
		{"time.date", Shift, "${time.date(-24h)}", "the date, here of yesterday"},
		{"request.number", NoArgs, "${request.number}", "the number of the request in the load: a counter, each value once in a run"},
		{"request.id", NoArgs, "${request.id}", "its transaction id, as in X-Transaction-Id"},
		{"callback.url", NoArgs, "${callback.url}", "the URL that is called when it is done, of a target with completion: {callback: ...}"},
	}
	for _, name := range Fakes() {
		out = append(out, Generator{Name: "fake." + name, Example: "${fake." + name + "}"})
	}
	return out
}

// Fakes returns the names of the family fake.
func Fakes() []string {
	return []string{
		"name", "first-name", "last-name", "username", "password", "email", "phone", "company", "job",
		"street", "city", "zip", "state", "country", "latitude", "longitude",
		"word", "sentence", "product", "price", "color", "ipv4", "user-agent", "card-number", "birthday",
	}
}

// Args are the arguments of a generator, read.
type Args struct {
	From, To int64 // Span
	N        int   // Length
	Words    []string
	Shift    time.Duration
}

// ParseArgs reads the arguments of a reference to a generator. The error says how to
// write it.
func ParseArgs(ref Ref) (Args, error) {
	name := ref.Source + "." + ref.Name
	all := Generators()
	i := slices.IndexFunc(all, func(g Generator) bool { return g.Name == name })
	if i < 0 {
		var names []string
		for _, g := range all {
			if strings.HasPrefix(g.Name, ref.Source+".") {
				names = append(names, g.Name)
			}
		}
		return Args{}, fmt.Errorf("unknown value ${%s}%s", name, spelling.Suggest(name, names))
	}
	g := all[i]
	wrong := fmt.Errorf("${%s} cannot be made: write it as %s", ref, g.Example)
	var a Args
	switch g.Args {
	case NoArgs:
		if ref.Called {
			return a, wrong
		}
	case Span:
		from, to, ok := strings.Cut(ref.Args, "..")
		var err, err2 error
		a.From, err = strconv.ParseInt(strings.TrimSpace(from), 10, 64)
		a.To, err2 = strconv.ParseInt(strings.TrimSpace(to), 10, 64)
		if !ok || err != nil || err2 != nil || a.To < a.From || a.From < -math.MaxInt64/2 || a.To > math.MaxInt64/2 {
			return a, wrong
		}
	case Length:
		n, err := strconv.Atoi(ref.Args)
		if err != nil || n < 1 || n > 4096 {
			return a, wrong
		}
		a.N = n
	case Choice:
		a.Words = strings.Split(ref.Args, "|")
		if ref.Args == "" {
			return a, wrong
		}
	case Shift:
		if !ref.Called {
			break
		}
		d, err := time.ParseDuration(ref.Args)
		if err != nil {
			return a, wrong
		}
		a.Shift = d
	}
	return a, nil
}
