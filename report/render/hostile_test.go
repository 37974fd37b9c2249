package render

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render/layout"
	"github.com/rampload/rampload/report/render/windows"
)

// injected marks text that must not come out as markup.
const injected = "<img src=x onerror=alert(1)>"

// FuzzHostileReport prints reports that somebody wrote by hand: any text where there
// is text, any number where there is one. Nothing may panic or run on, no control
// character may come out, and the form of each format must hold.
func FuzzHostileReport(f *testing.F) {
	f.Add(uint64(1), "\x1b]0;owned\a\x1b[2J\r\u202e"+injected, 1e308)
	f.Add(uint64(2), "=cmd|'/c calc'!A1\n@x`|*_\x00\x9b31m"+injected, -1.0)
	f.Add(uint64(3), "]]></system-out>\u2028\ufffe"+injected+strings.Repeat("w", 5000), 5e-324)
	f.Add(uint64(4), "", 0.0)
	var seeds [][]byte
	for _, r := range every() {
		b, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		seeds = append(seeds, b)
	}
	slices.SortFunc(seeds, bytes.Compare)
	f.Fuzz(func(t *testing.T, seed uint64, text string, number float64) {
		random := rand.New(rand.NewPCG(seed, 1))
		for range 3 {
			r := mutated(t, seeds[random.IntN(len(seeds))], random, text+injected, number)
			if r == nil {
				continue
			}
			for _, format := range Formats() {
				var out bytes.Buffer
				began := time.Now()
				if err := Report(&out, format, r, layout.Options{Width: 80}); err != nil {
					t.Fatalf("%s: %v", format, err)
				}
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("%s took %s", format, took)
				}
				wellFormed(t, format, out.Bytes())
			}
		}
	})
}

// mutated is a report with some of its values replaced, nil if it is none any more.
func mutated(t *testing.T, seed []byte, random *rand.Rand, text string, number float64) *report.Report {
	t.Helper()
	var tree any
	if err := json.Unmarshal(seed, &tree); err != nil {
		t.Fatal(err)
	}
	share := random.Float64()
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for k := range v {
				if k != "schema" && k != "columns" {
					v[k] = walk(v[k])
				}
			}
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
			if random.Float64() < share/20 {
				return append(v, v...)
			}
		case string:
			if _, err := time.Parse(time.RFC3339, v); err != nil && random.Float64() < share {
				return text
			}
		case float64:
			if random.Float64() < share {
				return number
			}
		}
		return v
	}
	b, err := json.Marshal(walk(tree))
	if err != nil {
		return nil // a number that JSON does not have
	}
	r, err := report.Read(bytes.NewReader(b))
	if err != nil {
		return nil // an integer that is none, for instance
	}
	return r
}

func wellFormed(t *testing.T, format string, out []byte) {
	t.Helper()
	if format == "json" {
		if !json.Valid(out) {
			t.Error("json: not valid")
		}
		return
	}
	for _, r := range string(out) {
		if unicode.IsControl(r) && r != '\n' || r == '\u202e' || r == '\u2028' {
			t.Fatalf("%s: %q comes out", format, r)
		}
	}
	switch format {
	case "html", "md":
		if bytes.Contains(out, []byte("<img src=x")) {
			t.Errorf("%s: markup comes out", format)
		}
	case "junit":
		for d := xml.NewDecoder(bytes.NewReader(out)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				t.Fatalf("junit: %v", err)
			}
		}
	case "csv":
		rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
		if err != nil {
			t.Fatalf("csv: %v", err)
		}
		if len(rows) > 0 {
			for _, name := range rows[0] {
				if name != "" && strings.ContainsRune("=+-@", rune(name[0])) {
					t.Errorf("csv: the formula %q comes out", name)
				}
			}
		}
	}
}

func TestCSVHoldsNoFormula(t *testing.T) {
	r := passed()
	r.Windows.Columns["=1+1\x1b"] = make([]*float64, len(r.Windows.Columns["at_s"]))
	var out bytes.Buffer
	if err := windows.CSV(&out, r); err != nil {
		t.Fatal(err)
	}
	wellFormed(t, "csv", out.Bytes())
}
