package fill_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fill"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/data"
)

var (
	users = profiles.Table{Name: "users", Columns: []string{"id", "name"}, Rows: [][]string{{"1", "anna"}, {"2", "O\"Brien & Söhne\n/x"}}}
	scope = fill.Scope{Tables: []profiles.Table{users}, Vars: []string{"login.token"}}
	run   = attack.RunID{1, 2, 3}
	noon  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

func render(t *testing.T, text string, escape fill.Escape, a *attack.Attempt) string {
	t.Helper()
	compiled, err := fill.Compile(text, escape, scope)
	if err != nil {
		t.Fatal(err)
	}
	return string(compiled.Append([]byte(">"), run, a, noon)[1:])
}

func TestValues(t *testing.T) {
	a := &attack.Attempt{Request: 7, Fill: &attack.Fill{Rows: []int{1}, Vars: []string{"t 1"}}}
	for _, c := range []struct {
		text   string
		escape fill.Escape
		want   string
	}{
		{"/u/${users.id}?q=$$1", fill.Path, "/u/2?q=$1"},
		{"${users.name}", fill.Raw, "O\"Brien & Söhne\n/x"},
		{"${users.name}", fill.Path, "O%22Brien%20%26%20S%C3%B6hne%0A%2Fx"},
		{"${users.name}", fill.Query, "O%22Brien+%26+S%C3%B6hne%0A%2Fx"},
		{"${users.name}", fill.Field, "O\"Brien & Söhne /x"},
		{"${users.name}", fill.InQuote, `O\"Brien & Söhne\n/x`},
		{"${login.token}", fill.Query, "t+1"},
		{"${request.number}", fill.Raw, "7"},
		{"${request.id}", fill.Raw, "0102030000000000-0000000000000007"},
		{"${time.unix} ${time.ms(+1s)} ${time.rfc3339(-24h)} ${time.date}", fill.Raw, "1772366400 1772366401000 2026-02-28T12:00:00Z 2026-03-01"},
		{"${random.int(5..5)}", fill.Raw, "5"},
	} {
		if got := render(t, c.text, c.escape, a); got != c.want {
			t.Errorf("%s: %q, want %q", c.text, got, c.want)
		}
	}
}

// Every generator makes values, the same ones for the same request of the same run, and
// others for others.
func TestGenerators(t *testing.T) {
	form := map[string]*regexp.Regexp{
		"random.uuid":    regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`),
		"random.int":     regexp.MustCompile(`^([1-9][0-9]?|100)$`),
		"random.hex":     regexp.MustCompile(`^[0-9a-f]{16}$`),
		"random.letters": regexp.MustCompile(`^[a-z]{8}$`),
		"random.digits":  regexp.MustCompile(`^[0-9]{6}$`),
		"random.of":      regexp.MustCompile(`^(red|green|blue)$`),
		"fake.email":     regexp.MustCompile(`^\S+@\S+\.\S+$`),
		"fake.ipv4":      regexp.MustCompile(`^[0-9.]{7,15}$`),
	}
	for _, g := range data.Generators() {
		seen := map[string]bool{}
		for n := range uint64(50) {
			one := render(t, g.Example, fill.Raw, &attack.Attempt{Request: n})
			if again := render(t, g.Example, fill.Raw, &attack.Attempt{Request: n, Try: 1}); one != again || one == "" {
				t.Errorf("%s: %q, then %q", g.Name, one, again)
			}
			if f := form[g.Name]; f != nil && !f.MatchString(one) {
				t.Errorf("%s: %q", g.Name, one)
			}
			seen[one] = true
		}
		if want := 2; len(seen) < want && !strings.HasPrefix(g.Name, "time.") {
			t.Errorf("%s: %d different values in 50 requests", g.Name, len(seen))
		}
	}
}

func TestCompileErrors(t *testing.T) {
	for _, text := range []string{"${users.mail}", "${carts.id}", "${login.cookie}", "${random.uid}", "${x"} {
		if _, err := fill.Compile(text, fill.Raw, scope); err == nil {
			t.Errorf("%s was compiled", text)
		}
	}
}

// Rows and what computes take no memory: only names and the like do.
func TestFillingAllocatesNothing(t *testing.T) {
	compiled, err := fill.Compile("/u/${users.id}/${random.uuid}?n=${random.int(1..100)}&t=${time.unix}&r=${request.id}", fill.Path, scope)
	if err != nil {
		t.Fatal(err)
	}
	a := &attack.Attempt{Fill: &attack.Fill{Rows: []int{0}}}
	buf := make([]byte, 0, 500)
	if n := testing.AllocsPerRun(100, func() { a.Request++; buf = compiled.Append(buf[:0], run, a, noon) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestQuotes(t *testing.T) {
	for _, c := range []struct {
		text   string
		inside string // of each reference
		ok     bool
	}{
		{`{"a": "${users.name}", "b": ${users.id}, "c": "x\"${users.id}"}`, "yes no yes", true},
		{`a=${users.id}`, "no", false},
		{`{"a": "${users.id}`, "yes", false},
	} {
		pieces, err := data.Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		var literal []bool
		for _, p := range pieces {
			texts, literal = append(texts, p.Text), append(literal, p.Literal())
		}
		inside, ok := fill.Quotes(texts, literal, json.Valid)
		var got []string
		for i, in := range inside {
			if !literal[i] {
				got = append(got, map[bool]string{true: "yes", false: "no"}[in])
			}
		}
		if strings.Join(got, " ") != c.inside || ok != c.ok {
			t.Errorf("%s: %v %v", c.text, got, ok)
		}
	}
}

func TestRandomRowsAreEvenAndRepeatable(t *testing.T) {
	var count [10]int
	for n := range uint64(10_000) {
		row := fill.RandomRow(run, n, "users", len(count))
		if row != fill.RandomRow(run, n, "users", len(count)) {
			t.Fatal("not repeatable")
		}
		count[row]++
	}
	for row, n := range count {
		if n < 850 || n > 1150 {
			t.Errorf("row %d was chosen %d times of 10,000", row, n)
		}
	}
}
