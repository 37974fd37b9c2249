package explain

import (
	"embed"
	"strings"
)

//go:embed topics/*.md
var topics embed.FS

// Guide is a page on how something works, for "rampload help NAME".
type Guide struct {
	Name  string
	Short string // what it is about, in a line
	Text  string // in Markdown
}

// Guides returns the pages in the order of their names.
func Guides() []Guide {
	entries, err := topics.ReadDir("topics")
	if err != nil {
		return nil // the folder is embedded
	}
	var out []Guide
	for _, e := range entries {
		b, err := topics.ReadFile("topics/" + e.Name())
		if err != nil {
			continue
		}
		title, _, _ := strings.Cut(strings.TrimPrefix(string(b), "# "), "\n")
		_, short, _ := strings.Cut(title, ": ")
		out = append(out, Guide{strings.TrimSuffix(e.Name(), ".md"), short, string(b)})
	}
	return out
}
