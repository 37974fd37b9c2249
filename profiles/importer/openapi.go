package importer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/rules"
)

// openAPI imports a description of an API: an operation becomes a request, with the
// examples that the description has. References to other files are not followed.
func (imp *importing) openAPI(data []byte) error {
	loader := openapi3.NewLoader()
	loader.Context = context.Background()
	loader.IsExternalRefsAllowed = false
	doc, err := loader.LoadFromData(data)
	if err != nil {
		return fmt.Errorf("it is no OpenAPI 3 description in one file: %w", err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.") {
		return fmt.Errorf("it is not OpenAPI 3: convert it from Swagger 2 first")
	}
	if doc.Info != nil && doc.Info.Title != "" {
		imp.out.Profile.Name = plain(strings.ToLower(doc.Info.Title), imp.out.Profile.Name)
	}
	base := imp.server(doc.Servers)
	unfilled := 0
	for _, path := range doc.Paths.InMatchingOrder() {
		item := doc.Paths.Value(path)
		operations := item.Operations()
		for _, method := range sortedKeys(operations) {
			op := operations[method]
			if op == nil || method == "CONNECT" || method == "TRACE" {
				continue
			}
			o := operation{in: imp, doc: doc, name: method + " " + path, method: method, path: path, op: op, shared: item.Parameters}
			r := o.request()
			r.Path = strings.TrimSuffix(base.Path, "/") + r.Path
			if o.unfilled {
				unfilled++
			}
			check := profiles.Base{URL: "http://host", Requests: []profiles.Request{{Method: r.Method, Path: r.Path, Headers: r.Headers, Weight: 1}}}
			if problems := rules.Base(check); len(problems) > 0 {
				imp.note("%s was left out: %s", o.name, problems[0].Message)
				continue
			}
			imp.add(base, r)
		}
	}
	if len(imp.out.Profile.Targets) == 0 {
		return fmt.Errorf("the description has no operations")
	}
	return nil
}

// server returns the URL that requests go to.
func (imp *importing) server(servers openapi3.Servers) *url.URL {
	for _, s := range servers {
		text := s.URL
		for name, v := range s.Variables {
			text = strings.ReplaceAll(text, "{"+name+"}", v.Default)
		}
		if u, err := url.Parse(text); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
			return u
		}
	}
	imp.note("the description names no server: write the url of the target (it is http://127.0.0.1:8080 now)")
	u := &url.URL{Scheme: "http", Host: "127.0.0.1:8080"}
	if len(servers) > 0 && strings.HasPrefix(servers[0].URL, "/") {
		u.Path = servers[0].URL
	}
	return u
}

// operation is one operation on its way to a request.
type operation struct {
	in       *importing
	doc      *openapi3.T
	name     string
	method   string
	path     string
	op       *openapi3.Operation
	shared   openapi3.Parameters
	unfilled bool
}

func (o *operation) request() profiles.Request {
	r := profiles.Request{Method: o.method, Path: o.path}
	query := url.Values{}
	var cookies []string
	for _, p := range o.parameters() {
		value, known := sample(p)
		switch {
		case p.In == "path":
			r.Path = strings.ReplaceAll(r.Path, "{"+p.Name+"}", url.PathEscape(value))
		case !p.Required:
			continue
		case p.In == "query":
			query.Add(p.Name, value)
		case p.In == "header":
			if h, keep := o.in.header(p.Name, value); keep {
				r.Headers = append(r.Headers, h)
			}
		case p.In == "cookie":
			cookies = append(cookies, p.Name+"="+value)
		}
		if !known {
			o.unfilled = true
			o.in.note("%s: fill in %s %q: the description has no example (it is %q now)", o.name, p.In, p.Name, value)
		}
	}
	if len(cookies) > 0 {
		r.Headers = append(r.Headers, profiles.Header{Name: "Cookie", Value: o.in.secret("COOKIE", strings.Join(cookies, "; "))})
	}
	o.credentials(&r, query)
	o.body(&r)
	if len(query) > 0 {
		r.Path += "?" + query.Encode()
	}
	return r
}

// parameters returns those of the operation, and those of its path that it does not
// define anew.
func (o *operation) parameters() []*openapi3.Parameter {
	var out []*openapi3.Parameter
	for _, list := range []openapi3.Parameters{o.op.Parameters, o.shared} {
		for _, ref := range list {
			p := ref.Value
			if p != nil && !slices.ContainsFunc(out, func(q *openapi3.Parameter) bool { return q.Name == p.Name && q.In == p.In }) {
				out = append(out, p)
			}
		}
	}
	return out
}

// credentials adds what the operation's first security requirement needs, as
// variables.
func (o *operation) credentials(r *profiles.Request, query url.Values) {
	required := o.doc.Security
	if o.op.Security != nil {
		required = *o.op.Security
	}
	if len(required) == 0 || o.doc.Components == nil {
		return
	}
	for _, name := range sortedKeys(required[0]) {
		ref := o.doc.Components.SecuritySchemes[name]
		if ref == nil || ref.Value == nil {
			continue
		}
		s := ref.Value
		variable := strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(plain(name, "SECRET")))
		switch {
		case s.Type == "http" && strings.EqualFold(s.Scheme, "basic"):
			r.Headers = append(r.Headers, profiles.Header{Name: "Authorization", Value: "Basic " + o.in.secret(variable, "openapi basic "+name)})
		case s.Type == "http" || s.Type == "oauth2" || s.Type == "openIdConnect":
			r.Headers = append(r.Headers, profiles.Header{Name: "Authorization", Value: "Bearer " + o.in.secret(variable, "openapi bearer "+name)})
		case s.Type == "apiKey" && s.In == "header":
			r.Headers = append(r.Headers, profiles.Header{Name: s.Name, Value: o.in.secret(variable, "openapi key "+name)})
		case s.Type == "apiKey" && s.In == "query":
			o.in.note("%s: add its key %q to the query: secrets are not written into paths", o.name, s.Name)
		}
	}
	_ = query
}

// body adds the example of the body, or one made from its schema.
func (o *operation) body(r *profiles.Request) {
	if o.op.RequestBody == nil || o.op.RequestBody.Value == nil {
		return
	}
	content := o.op.RequestBody.Value.Content
	kinds := sortedKeys(content)
	slices.SortStableFunc(kinds, func(a, b string) int { // JSON first
		return btoi(strings.Contains(b, "json")) - btoi(strings.Contains(a, "json"))
	})
	for _, kind := range kinds {
		media := content[kind]
		value, known := mediaSample(media)
		if value == nil {
			continue
		}
		text, ok := value.(string)
		switch {
		case strings.Contains(kind, "json"):
			encoded, err := json.Marshal(value)
			if err != nil {
				continue
			}
			text = string(encoded)
		case kind == "application/x-www-form-urlencoded":
			form := url.Values{}
			fields, _ := value.(map[string]any)
			for _, k := range sortedKeys(fields) {
				form.Add(k, fmt.Sprint(fields[k]))
			}
			text = form.Encode()
		case !ok:
			continue
		}
		r.Body = text
		r.Headers = append(r.Headers, profiles.Header{Name: "Content-Type", Value: kind})
		if !known {
			o.unfilled = true
			o.in.note("%s: look over the body: it is made from the schema, for the description has no example", o.name)
		}
		return
	}
	if len(kinds) > 0 {
		o.unfilled = true
		o.in.note("%s: write a body of %s", o.name, strings.Join(kinds, " or "))
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// sample returns a value for a parameter, and whether the description gave it.
func sample(p *openapi3.Parameter) (string, bool) {
	if p.Example != nil {
		return fmt.Sprint(p.Example), true
	}
	for _, name := range sortedKeys(p.Examples) {
		if e := p.Examples[name]; e != nil && e.Value != nil && e.Value.Value != nil {
			return fmt.Sprint(e.Value.Value), true
		}
	}
	if p.Schema == nil {
		return "1", false
	}
	v, known := schemaSample(p.Schema, 0)
	if list, ok := v.([]any); ok {
		if len(list) == 0 {
			return "1", false
		}
		v = list[0]
	}
	return fmt.Sprint(v), known
}

func mediaSample(m *openapi3.MediaType) (value any, known bool) {
	if m == nil {
		return nil, false
	}
	if m.Example != nil {
		return m.Example, true
	}
	for _, name := range sortedKeys(m.Examples) {
		if e := m.Examples[name]; e != nil && e.Value != nil && e.Value.Value != nil {
			return e.Value.Value, true
		}
	}
	if m.Schema == nil {
		return nil, false
	}
	return schemaSample(m.Schema, 0)
}

// maxDepth ends schemas that contain themselves.
const maxDepth = 8

// schemaSample makes a value that fits a schema, and reports whether all of it was
// given as examples, defaults or the only values allowed.
func schemaSample(ref *openapi3.SchemaRef, depth int) (value any, known bool) {
	if ref == nil || ref.Value == nil || depth > maxDepth {
		return nil, false
	}
	s := ref.Value
	switch {
	case s.Example != nil:
		return s.Example, true
	case s.Default != nil:
		return s.Default, true
	case len(s.Enum) > 0:
		return s.Enum[0], true
	case len(s.AllOf) > 0:
		whole, known := map[string]any{}, true
		for _, part := range s.AllOf {
			v, k := schemaSample(part, depth+1)
			known = known && k
			if fields, ok := v.(map[string]any); ok {
				for name, field := range fields {
					whole[name] = field
				}
			}
		}
		return whole, known
	case len(s.OneOf) > 0:
		return schemaSample(s.OneOf[0], depth+1)
	case len(s.AnyOf) > 0:
		return schemaSample(s.AnyOf[0], depth+1)
	}
	switch {
	case s.Type.Is("object") || s.Type == nil && len(s.Properties) > 0:
		whole, known := map[string]any{}, len(s.Properties) > 0
		for _, name := range sortedKeys(s.Properties) {
			v, k := schemaSample(s.Properties[name], depth+1)
			if required := slices.Contains(s.Required, name); v == nil && !required || !k && !required {
				continue
			}
			whole[name] = v
			known = known && k
		}
		return whole, known
	case s.Type.Is("array"):
		v, k := schemaSample(s.Items, depth+1)
		if v == nil {
			return []any{}, false
		}
		return []any{v}, k
	case s.Type.Is("integer"), s.Type.Is("number"):
		if s.Min != nil {
			return *s.Min, false
		}
		return 1, false
	case s.Type.Is("boolean"):
		return true, false
	}
	return stringSample(s.Format), false
}

func stringSample(format string) string {
	switch format {
	case "date":
		return "2026-01-01"
	case "date-time":
		return "2026-01-01T00:00:00Z"
	case "uuid":
		return "00000000-0000-4000-8000-000000000001"
	case "email":
		return "a@example.com"
	case "uri", "url":
		return "http://example.com/"
	}
	return "1"
}
