package render

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render/comparison"
	"github.com/rampload/rampload/report/render/layout"
	"github.com/rampload/rampload/report/render/windows"
)

var update = flag.Bool("update", false, "rewrite golden files")

// assets stand for uPlot: the goldens need not hold it.
func assets() layout.Assets {
	return layout.Assets{UPlotJS: []byte("/* uPlot */"), UPlotCSS: []byte("/* uPlot css */")}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run the test with -update", err)
	}
	if diff := gocmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-golden +got):\n%s", name, diff)
	}
}

func TestGolden(t *testing.T) {
	files := []string{"peak.json", "peak.runlog"}
	for name, r := range samples() {
		forms := []struct {
			file   string
			format string
			opt    layout.Options
		}{
			{name + ".80.txt", "table", layout.Options{Width: 80, Files: files}},
			{name + ".120.txt", "table", layout.Options{Width: 120, Files: files}},
			{name + ".md", "md", layout.Options{}},
			{name + ".xml", "junit", layout.Options{}},
			{name + ".html", "html", layout.Options{Assets: assets()}},
		}
		for _, f := range forms {
			t.Run(f.file, func(t *testing.T) {
				var b bytes.Buffer
				if err := Report(&b, f.format, r, f.opt); err != nil {
					t.Fatal(err)
				}
				golden(t, f.file, b.Bytes())
			})
		}
	}
	for name, r := range wordings() {
		var b bytes.Buffer
		if err := Table(&b, r, layout.Options{Width: 80, Files: files}); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".80.txt", b.Bytes())
	}
	var colours, rows bytes.Buffer
	if err := Table(&colours, fdExhaustion(), layout.Options{Width: 80, Colour: true}); err != nil {
		t.Fatal(err)
	}
	golden(t, "fd-exhaustion.colour.txt", colours.Bytes())
	for file, opt := range map[string]layout.Options{
		"fd-exhaustion.40.txt":    {Width: 40, Files: files},
		"fd-exhaustion.plain.txt": {Plain: true, Files: files},
	} {
		var b bytes.Buffer
		if err := Table(&b, fdExhaustion(), opt); err != nil {
			t.Fatal(err)
		}
		golden(t, file, b.Bytes())
	}
	if err := windows.CSV(&rows, interrupted()); err != nil {
		t.Fatal(err)
	}
	golden(t, "interrupted.csv", rows.Bytes())
}

// Nothing that goes to a terminal may be wider than it, whatever the report
// holds.
func TestTableFitsWidth(t *testing.T) {
	for name, r := range every() {
		for _, width := range []int{0, 40, 60, 80, 100, 120, 160} {
			var b bytes.Buffer
			if err := Table(&b, r, layout.Options{Width: width}); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				line = strings.TrimSuffix(line, "\n")
				words := strings.Fields(line)
				if width < 80 && len(words) > 0 && twwidth.Width(words[len(words)-1]) > width/2 {
					continue // a name is not cut: the terminal breaks it
				}
				if n := twwidth.Width(line); n > cmp.Or(width, 80) {
					t.Errorf("%s at %d columns has a line of %d: %s", name, width, n, line)
				}
				if strings.TrimRight(line, " ") != line {
					t.Errorf("%s at %d columns: spaces at the end of %q", name, width, line)
				}
			}
		}
	}
}

// Colours change nothing but colours.
func TestColour(t *testing.T) {
	ansi := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for name, r := range every() {
		var without, with bytes.Buffer
		if err := errors.Join(Table(&without, r, layout.Options{}), Table(&with, r, layout.Options{Colour: true})); err != nil {
			t.Fatal(err)
		}
		if ansi.Match(without.Bytes()) {
			t.Errorf("%s: colours that nobody asked for", name)
		}
		if !ansi.Match(with.Bytes()) {
			t.Errorf("%s: no colours", name)
		}
		if diff := gocmp.Diff(without.String(), ansi.ReplaceAllString(with.String(), "")); diff != "" {
			t.Errorf("%s: colours moved something:\n%s", name, diff)
		}
	}
}

func TestHostileText(t *testing.T) {
	r := hostile()
	var table, md, html, junit bytes.Buffer
	err := errors.Join(Table(&table, r, layout.Options{}), Markdown(&md, r), HTML(&html, r, assets()), JUnit(&junit, r))
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(table.String(), "\x1b\x00\x07\u202e") {
		t.Error("control characters reach the terminal")
	}
	if strings.Contains(md.String(), "<img") || strings.Contains(md.String(), "\n# not") || strings.Contains(md.String(), "pay|ments") {
		t.Errorf("markup reaches Markdown:\n%s", md.String())
	}
	if s := html.String(); strings.Contains(s, "<img") || strings.Count(s, "</script") != 4 || strings.Contains(s, "<b>&\"") {
		t.Error("markup reaches HTML")
	}
	var suites junitSuites
	if err := xml.Unmarshal(junit.Bytes(), &suites); err != nil {
		t.Errorf("JUnit XML: %v", err)
	}
}

// The page carries the chart data as JSON that its scripts can read, and loads
// nothing from elsewhere.
func TestHTML(t *testing.T) {
	var b bytes.Buffer
	if err := HTML(&b, fdExhaustion(), assets()); err != nil {
		t.Fatal(err)
	}
	data := regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`).FindSubmatch(b.Bytes())
	if data == nil {
		t.Fatal("no chart data")
	}
	var c struct {
		At     []float64
		Charts []struct {
			Title, Kind string
			Cause       bool
			Lines       []struct{ Label string }
		}
		Onsets []struct{ At float64 }
	}
	if err := json.Unmarshal(data[1], &c); err != nil {
		t.Fatal(err)
	}
	if len(c.At) != 120 || len(c.Onsets) != 2 || c.Onsets[0].At != 90 || c.Onsets[1].At != 90.5 {
		t.Errorf("%d rows, onsets %+v", len(c.At), c.Onsets)
	}
	var titles []string
	for _, x := range c.Charts {
		titles = append(titles, x.Title)
		if x.Cause != strings.HasPrefix(x.Title, "payments-1/payments[4127]/open-files") {
			t.Errorf("%s: of the cause %v", x.Title, x.Cause)
		}
	}
	if len(c.Charts) < 4 || !strings.HasPrefix(titles[3], "payments-1/payments[4127]/open-files, at most 1,024 of 1,024") {
		t.Errorf("charts: %q", titles)
	}
	if !bytes.Contains(b.Bytes(), []byte("default-src 'none'")) {
		t.Error("the page may load something")
	}
	if external := regexp.MustCompile(`(?:src|href)=["']?[^"'#]|url\(|@import`).Find(b.Bytes()); external != nil {
		t.Errorf("the page loads something: %s", external)
	}
	var plain bytes.Buffer
	if err := HTML(&plain, fdExhaustion(), layout.Assets{}); err != nil || bytes.Contains(plain.Bytes(), []byte("uPlot")) || !bytes.Contains(plain.Bytes(), []byte(`id="explorer"`)) {
		t.Errorf("without assets there are charts, no explorer, or an error: %v", err)
	}
	if err := HTML(io.Discard, fdExhaustion(), layout.Assets{UPlotJS: []byte("</SCRIPT>")}); err == nil {
		t.Error("an asset may end its element")
	}
}

func TestJUnit(t *testing.T) {
	want := map[string]struct{ tests, failures, errors int }{
		"fd-exhaustion":     {5, 3, 1},
		"passed":            {4, 0, 0},
		"generator-limited": {3, 0, 2},
		"interrupted":       {2, 0, 2},
		"found":             {1, 0, 0},
		"not-run":           {1, 0, 1},
		"aborted":           {2, 2, 0},
	}
	for name, w := range want {
		var b bytes.Buffer
		if err := JUnit(&b, samples()[name]); err != nil {
			t.Fatal(err)
		}
		var got junitSuites
		if err := xml.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		s := got.Suites[0]
		if s.Tests != w.tests || s.Failures != w.failures || s.Errors != w.errors {
			t.Errorf("%s: %d tests, %d failures, %d errors; want %+v", name, s.Tests, s.Failures, s.Errors, w)
		}
	}
}

func TestCSV(t *testing.T) {
	r := fdExhaustion()
	r.Windows.Columns["utilisation:local/cpu"][3] = nil
	var b bytes.Buffer
	if err := windows.CSV(&b, r); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 121 || rows[0][0] != "at_s" || rows[0][1] != "offered_rps" || len(rows[0]) != len(r.Windows.Columns) {
		t.Fatalf("%d rows, header %q", len(rows), rows[0])
	}
	for i, name := range rows[0] {
		if name == "utilisation:local/cpu" && rows[4][i] != "" {
			t.Errorf("what was not measured is %q, want empty", rows[4][i])
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	if err := Report(io.Discard, "pdf", passed(), layout.Options{}); err == nil || !strings.Contains(err.Error(), "table") {
		t.Errorf("Report = %v", err)
	}
	if err := comparison.Write(io.Discard, "pdf", report.Comparison{}, comparison.Compared{}, layout.Options{}); err == nil || !strings.Contains(err.Error(), "table") {
		t.Errorf("Comparison = %v", err)
	}
	for _, format := range Formats() {
		if err := Report(io.Discard, format, passed(), layout.Options{}); err != nil {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// failing is a terminal that went away.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWriteErrors(t *testing.T) {
	for _, format := range Formats() {
		if err := Report(failing{}, format, passed(), layout.Options{Assets: assets()}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: %v, want the writer's error", format, err)
		}
	}
}

// Every column of every table is explained.
func TestLegend(t *testing.T) {
	var all strings.Builder
	for _, m := range Legend() {
		all.WriteString(m.Table + " " + m.Column + "\n")
	}
	for name, r := range every() {
		for _, g := range pageOf(r).Grids {
			for _, c := range g.Columns {
				switch c.Title {
				case "TARGET", "FAULT", "ALL", "GATE", "WHY", "NOTE", "FAILED", "%", "EOF", "REFUSED", "TIMEOUT":
					continue // what they say
				}
				if _, fault := attack.ParseFault(strings.ToLower(c.Title)); fault {
					continue
				}
				known := strings.Contains(all.String(), c.Title) || g.Name == "faults by phase" || g.Name == "addresses"
				if !known {
					t.Errorf("%s: column %q of %s is in no legend", name, c.Title, g.Name)
				}
			}
		}
	}
}

func TestCausePhrases(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{causePhrase("server-file-descriptors", "pid 7"), "pid 7 ran out of open files"},
		{causePhrase("upstream-file-descriptors", "pid 7"), "behind it, the next hop ran out of open files"},
		{causePhrase("upstream-process-crash", "pid 7"), "behind it, the next hop crashed"},
		{causePhrase("a-new-cause", "pid 7"), "a new cause"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
