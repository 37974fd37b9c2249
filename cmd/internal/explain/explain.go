// Package explain holds a page for each cause key: what it looks like, how it is
// proven, what to do, and what it is easily taken for. It knows the keys and the
// pages, and nothing of runs.
package explain

import (
	"cmp"
	"embed"
	"path"
	"slices"
	"strings"
)

//go:embed pages/*.md
var pages embed.FS

// Topic is a page and its first sentence.
type Topic struct{ Key, Says string }

// Topics returns all pages in the order of their keys.
func Topics() []Topic {
	entries, err := pages.ReadDir("pages")
	if err != nil {
		return nil // the folder is embedded
	}
	var out []Topic
	for _, e := range entries {
		key := strings.TrimSuffix(e.Name(), ".md")
		text, _ := read(key)
		body := strings.TrimSpace(strings.TrimPrefix(text, "# "+key))
		says, _, _ := strings.Cut(body, "\n\n")
		out = append(out, Topic{key, strings.ReplaceAll(says, "\n", " ")})
	}
	slices.SortFunc(out, func(a, b Topic) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

// Page returns the page of a key in Markdown. The page of a key of an inner hop
// ("upstream-file-descriptors") is that of the cause itself, and says so.
func Page(key string) (string, bool) {
	if text, ok := read(key); ok {
		return text, true
	}
	inner, upstream := strings.CutPrefix(key, "upstream-")
	if !upstream {
		return "", false
	}
	for _, name := range []string{inner, "server-" + inner} {
		if text, ok := read(name); ok {
			text = strings.TrimPrefix(text, "# "+name+"\n")
			return "# " + key + "\n\nOf a hop behind the first, whose host the report names. The hops before it pass\non what happens there, and are not at fault.\n" + text, true
		}
	}
	return "", false
}

func read(key string) (string, bool) {
	if strings.ContainsAny(key, "/\\") {
		return "", false
	}
	b, err := pages.ReadFile(path.Join("pages", key+".md"))
	return string(b), err == nil
}

// Nearest returns the keys that share a word with what was asked for, at most six.
func Nearest(asked string) []string {
	words := strings.FieldsFunc(strings.ToLower(asked), func(r rune) bool { return r < 'a' || r > 'z' })
	type match struct {
		key string
		n   int
	}
	var all []match
	for _, t := range Topics() {
		n := 0
		for _, w := range words {
			if strings.Contains(t.Key, w) {
				n += 2
			} else if len(w) > 3 && strings.Contains(strings.ToLower(t.Says), w) {
				n++
			}
		}
		if n > 0 {
			all = append(all, match{t.Key, n})
		}
	}
	slices.SortStableFunc(all, func(a, b match) int { return cmp.Compare(b.n, a.n) })
	var out []string
	for _, m := range all[:min(6, len(all))] {
		out = append(out, m.key)
	}
	return out
}
