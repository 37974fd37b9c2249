package explain_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/rampload/rampload/cmd/internal/explain"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml"
)

// What a guide shows works: its profiles and gates are read, its commands exist.
func TestGuidesAreTrue(t *testing.T) {
	block := regexp.MustCompile("(?s)```(\\w+)\n(.*?)```")
	for _, g := range explain.Guides() {
		if g.Short == "" || !strings.HasPrefix(g.Text, "# ") {
			t.Errorf("%s: no title of the form \"# Name: what it is about\"", g.Name)
		}
		for line := range strings.Lines(g.Text) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 90 {
				t.Errorf("%s: a line of %d characters", g.Name, n)
			}
		}
		for _, m := range block.FindAllStringSubmatch(g.Text, -1) {
			switch m[1] {
			case "yaml":
				if _, err := yaml.Decode(g.Name+".md", []byte(m[2]), yaml.Options{}); err != nil {
					t.Errorf("%s: %v", g.Name, err)
				}
			case "gates":
				for line := range strings.Lines(m[2]) {
					if _, err := profiles.ParseGate(strings.TrimSpace(line)); err != nil {
						t.Errorf("%s: %v", g.Name, err)
					}
				}
			default:
				t.Errorf("%s: a block of %s, which nothing checks", g.Name, m[1])
			}
		}
	}
	if n := len(explain.Guides()); n < 6 {
		t.Errorf("%d guides", n)
	}
}
