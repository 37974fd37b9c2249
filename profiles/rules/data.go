package rules

import (
	"slices"
	"strconv"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/data"
	"github.com/rampload/rampload/profiles/spelling"
)

// requestRules checks requests, and the data that fills them.
type requestRules struct{ *validator }

// data checks the tables.
func (v requestRules) data() {
	seen := map[string]bool{}
	for _, t := range v.profile.Data {
		path := "data." + t.Name
		switch {
		case slices.Contains(data.Families(), t.Name):
			v.add(path, "%s is a family of generators: give the table another name", spelling.Quote(t.Name))
		case !isSource(t.Name):
			v.add(path, "%s is no name for a table: write letters, digits, \"_\" and \"-\", such as users", spelling.Quote(t.Name))
		case seen[t.Name]:
			v.add(path, "a second table is called %s: give each its own name", spelling.Quote(t.Name))
		}
		seen[t.Name] = true
		if t.File == "" {
			v.add(path, "the table has no file: write users: users.csv, or users: {file: users.csv, pick: random}")
		}
		if !slices.Contains(profiles.Picks(), t.Pick) {
			v.add(path+".pick", "unknown pick %s: write sequential, random or once", spelling.Quote(string(t.Pick)))
		}
	}
}

// isSource reports whether a name can stand before the point of a reference.
func isSource(name string) bool {
	ref, err := data.ParseRef(name + ".x")
	return err == nil && ref.Source == name
}

// filled checks the references of a request, and returns it with something plain in
// their places, for the other rules.
func (v requestRules) filled(path string, r profiles.Request) profiles.Request {
	r.Headers, r.Parts, r.Script = slices.Clone(r.Headers), slices.Clone(r.Parts), slices.Clone(r.Script)
	where := []string{path + ".path", path + ".body"}
	for i := range r.Headers {
		where = append(where, path+".headers."+strconv.Itoa(i))
	}
	for i := range r.Parts {
		where = append(where, path+".multipart."+strconv.Itoa(i)+".value")
	}
	where = append(where, path+".command")
	for i, t := range r.Script {
		if t.Kind == profiles.TurnSend && t.By == profiles.ByText {
			where = append(where, path+".script."+strconv.Itoa(i))
		}
	}
	if r.Call != nil {
		c := *r.Call
		c.Messages = slices.Clone(c.Messages)
		r.Call = &c
		for i := range c.Messages {
			where = append(where, messagePath(path, r, i))
		}
	}
	for i, text := range data.Texts(&r) {
		pieces, err := data.Parse(*text)
		if err != nil {
			v.add(where[i], "%s", err)
			*text = ""
			continue
		}
		for _, p := range pieces {
			if !p.Literal() {
				v.reference(where[i], p.Ref)
			}
		}
		*text, _ = data.Mask(*text, "0")
	}
	if r.Template {
		v.add(path+".template", "the request has ${...} too: leave out template, and write ${request.number}, ${request.id} and ${time.rfc3339}")
	}
	return r
}

// reference checks what a reference names.
func (v requestRules) reference(path string, ref data.Ref) {
	if slices.Contains(data.Families(), ref.Source) {
		if _, err := data.ParseArgs(ref); err != nil {
			v.add(path, "%s", err)
		}
		return
	}
	for _, t := range v.profile.Data {
		if t.Name != ref.Source {
			continue
		}
		if t.Columns != nil && !slices.Contains(t.Columns, ref.String()[len(ref.Source)+1:]) {
			v.add(path, "%s has no column %s%s", t.File, spelling.Quote(ref.Name), spelling.Suggest(ref.Name, t.Columns))
		}
		return
	}
	if v.step != nil && journeyRules(v).extracted(path, ref) {
		return
	}
	var known []string
	for _, t := range v.profile.Data {
		known = append(known, t.Name)
	}
	known = append(known, data.Families()...)
	if len(v.profile.Data) == 0 {
		v.add(path, "there is no data called %s: write data: {%s: %s.csv}", spelling.Quote(ref.Source), ref.Source, ref.Source)
		return
	}
	v.add(path, "there is no data called %s%s", spelling.Quote(ref.Source), spelling.Suggest(ref.Source, known))
}
