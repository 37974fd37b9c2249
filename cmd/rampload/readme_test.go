package main_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml"
	"github.com/rampload/rampload/report/render"
)

var update = flag.Bool("update", false, "rewrite the generated parts of the README")

const readme = "../../README.md"

// The README's tables of columns and resources are made from the code, so that
// they stay true.
func TestReadmeIsTrue(t *testing.T) {
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for name, want := range map[string]string{"columns": columns(), "resources": resources()} {
		begin, end := "<!-- "+name+" -->\n", "<!-- end "+name+" -->"
		before, rest, ok := strings.Cut(text, begin)
		got, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("README has no part %q", name)
		}
		if got != want {
			if !*update {
				t.Errorf("README's part %q is out of date: go test ./cmd/rampload -run Readme -update", name)
			}
			text = before + begin + want + end + after
		}
	}
	if *update {
		if err := os.WriteFile(readme, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The profile that the README explains is valid.
func TestReadmeProfile(t *testing.T) {
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(data), "## The profile\n\n```yaml\n")
	profile, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("README has no profile")
	}
	p, err := yaml.Decode("README.md", []byte(profile), yaml.Options{
		Getenv: func(string) (string, bool) { return "secret", true },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Load) < 7 || p.Client.Engine != profiles.EngineVegeta {
		t.Errorf("the README's profile lost stages: %+v", p.Load)
	}
}

func columns() string {
	var b strings.Builder
	b.WriteString("| table | column | meaning |\n|---|---|---|\n")
	for _, m := range render.Legend() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", m.Table, m.Column, m.Text)
	}
	return b.String()
}

func resources() string {
	var b strings.Builder
	b.WriteString("| resource | unit | what |\n|---|---|---|\n")
	for _, d := range probe.Catalogue() {
		if d.Kind == probe.HardLimit || d.Kind == probe.Utilisation {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", d.Name, d.Unit, d.About)
		}
	}
	return b.String()
}
