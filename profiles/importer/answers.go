package importer

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rampload/rampload/profiles"
)

// Bounds of what is looked for in the answers of a recording.
const (
	mostValues = 2000
	mostAnswer = 4 << 20 // bytes of one
)

// answers are the values that steps were answered, which later requests may repeat: a
// token, the id of what was made. What a request said before is not one of them.
type answers struct {
	in     *importing
	values []value
	said   strings.Builder // all requests so far
}

// value is one that an answer gave.
type value struct {
	text    string
	step    int
	extract profiles.Extract
	name    string // once it is extracted
}

// use puts references into a request where it repeats what an earlier step was answered,
// and has that step extract it.
func (a *answers) use(r *profiles.Request, steps []profiles.Step) {
	whole := r.Path + "\n" + r.Body
	for _, h := range r.Headers {
		whole += "\n" + h.Value
	}
	a.said.WriteString(whole + "\n")
	var used []int
	for i, v := range a.values {
		if holds(whole, v.text) || holds(whole, url.QueryEscape(v.text)) {
			used = append(used, i)
		}
	}
	if len(used) == 0 {
		return
	}
	// The longest first: one may be a part of another.
	slices.SortStableFunc(used, func(x, y int) int { return len(a.values[y].text) - len(a.values[x].text) })
	r.Filled = true
	literal := func(s string) string { return strings.ReplaceAll(s, "${", "$${") }
	r.Path, r.Body, r.Headers = literal(r.Path), literal(r.Body), slices.Clone(r.Headers)
	for k := range r.Headers {
		r.Headers[k].Value = literal(r.Headers[k].Value)
	}
	for _, i := range used {
		v := &a.values[i]
		at := &steps[v.step]
		if v.name == "" {
			v.name = v.extract.Name
			for n := 2; slices.ContainsFunc(at.Extract, func(e profiles.Extract) bool { return e.Name == v.name }); n++ {
				v.name = v.extract.Name + strconv.Itoa(n)
			}
			v.extract.Name = v.name
			at.Extract = append(at.Extract, v.extract)
			a.in.note("${%s.%s} is taken from the answer of step %s, as later steps repeat it", at.Name, v.name, at.Name)
		}
		ref := "${" + at.Name + "." + v.name + "}"
		for _, text := range []string{v.text, url.QueryEscape(v.text)} {
			r.Path, r.Body = replace(r.Path, text, ref), replace(r.Body, text, ref)
			for k := range r.Headers {
				r.Headers[k].Value = replace(r.Headers[k].Value, text, ref)
			}
		}
	}
}

// learn notes what a step was answered.
func (a *answers) learn(step int, rec recorded) {
	said := a.said.String()
	add := func(text, name string, from profiles.ExtractFrom, what string) {
		name = strings.ReplaceAll(strings.ReplaceAll(plain(name, "value"), ".", "_"), "-", "_")
		known := slices.ContainsFunc(a.values, func(v value) bool { return v.text == text })
		if known || len(a.values) >= mostValues || !telling(text) || len(text) > 4096 || strings.Contains(said, text) {
			return
		}
		a.values = append(a.values, value{text: text, step: step, extract: profiles.Extract{Name: name, From: from, What: what}})
	}
	for _, h := range rec.entry.Response.Headers {
		if lower := strings.ToLower(h.Name); strings.Contains(lower, "token") || strings.Contains(lower, "csrf") {
			add(h.Value, lower, profiles.FromHeader, h.Name)
		}
	}
	body := rec.entry.text()
	if len(body) > mostAnswer {
		return
	}
	if strings.Contains(rec.entry.Response.Content.MimeType, "json") {
		d := json.NewDecoder(strings.NewReader(body))
		d.UseNumber()
		var root any
		if d.Decode(&root) == nil {
			leaves(root, "", "value", func(path, key, text string) { add(text, key, profiles.FromJSON, path) })
		}
		return
	}
	for _, m := range hiddenField.FindAllStringSubmatch(body, 100) {
		add(m[2], m[1], profiles.FromRegexp, `name="`+regexp.QuoteMeta(m[1])+`"[^>]*(?:value|content)="([^"]+)"`)
	}
}

// hiddenField is a value that a page has its forms or scripts send back.
var hiddenField = regexp.MustCompile(`(?i)<(?:input|meta)[^>]*name="([^"]+)"[^>]*(?:value|content)="([^"]+)"`)

// mostDepth bounds how deep an answer is looked into.
const mostDepth = 12

// leaves calls visit with every text and number of a JSON document.
func leaves(v any, path, key string, visit func(path, key, text string)) {
	if strings.Count(path, ".") > mostDepth {
		return
	}
	below := func(name string) string { return strings.TrimPrefix(path+"."+name, ".") }
	switch v := v.(type) {
	case map[string]any:
		for _, name := range sortedKeys(v) {
			if !strings.ContainsAny(name, `.*?|#@\[]!{}'" `) && name != "" { // those mean something in a path
				leaves(v[name], below(name), name, visit)
			}
		}
	case []any:
		for i, item := range v[:min(len(v), 20)] {
			leaves(item, below(strconv.Itoa(i)), key, visit)
		}
	case string:
		visit(path, key, v)
	case json.Number:
		visit(path, key, v.String())
	}
}

// holds reports whether a text has a value in it, and not as a part of a longer word.
func holds(text, value string) bool { return replace(text, value, "") != text }

// replace replaces a value wherever it is a word of its own.
func replace(text, value, by string) string {
	if value == "" {
		return text
	}
	var b strings.Builder
	for at := 0; ; {
		i := strings.Index(text[at:], value)
		if i < 0 {
			return b.String() + text[at:]
		}
		i += at
		end := i + len(value)
		b.WriteString(text[at:i])
		if (i > 0 && wordy(text[i-1])) || (end < len(text) && wordy(text[end])) {
			b.WriteString(value)
		} else {
			b.WriteString(by)
		}
		at = end
	}
}

func wordy(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}
