package yaml

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/section"

	goyaml "github.com/goccy/go-yaml"
)

func resolvedSchema(t testing.TB) *jsonschema.Resolved {
	t.Helper()
	var s jsonschema.Schema
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve(&jsonschema.ResolveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}

// instance reads YAML as an editor does: with the parser's own decoder, not with
// ours.
func instance(t testing.TB, text []byte) any {
	t.Helper()
	var v any
	if err := goyaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchemaAcceptsValidProfiles(t *testing.T) {
	schema := resolvedSchema(t)
	for name, text := range texts(t) {
		if err := schema.Validate(instance(t, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		p, err := Decode(name, text, options())
		if err != nil {
			t.Fatal(err)
		}
		written, err := Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(instance(t, written)); err != nil {
			t.Errorf("%s, written: %v\n%s", name, err, written)
		}
	}
}

// TestSchemaRefuses makes sure that an editor marks unknown keys, missing keys
// and wrong units.
func TestSchemaRefuses(t *testing.T) {
	schema := resolvedSchema(t)
	valueRules := map[string]bool{ // what no pattern says
		"invalid-gate-up-to-zero": true, "invalid-process-unit": true, "invalid-rate-too-large": true, "invalid-timeout-zero": true,
		"invalid-request-text": true, "invalid-request-text-words": true, // commands of Redis are texts of any words
	}
	for _, kind := range []string{
		"unknown-key*", "missing-*", "not-a-*", "*-unit", "duration-[bsdnw]*", "rate-[tkmrw]*", "percent-[fbwo]*", "count-[utq]*",
		"number-*", "flag-*", "engine", "protocol", "backoff", "jitter", "proxy*", "status", "conns-spelling", "conns-hold-spelling", "stage-none", "stage-jitter-only",
		"stage-ramp-missing", "stage-burst-missing", "stage-hold-over", "request-text*", "retries-fault*", "timeout-zero", "weight-zero",
		"max-in-flight-zero", "connections-negative", "gate-operator-*", "gate-metric*", "gate-value-missing", "gate-two", "gate-up*", "several-syntax",
	} {
		files, err := filepath.Glob("testdata/invalid-" + kind + ".yaml")
		if err != nil || len(files) == 0 {
			t.Errorf("no files for %s", kind)
		}
		for _, file := range files {
			if valueRules[strings.TrimSuffix(filepath.Base(file), ".yaml")] {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if schema.Validate(instance(t, text)) == nil {
				t.Errorf("%s passes the schema", file)
			}
		}
	}
}

// TestSchemaFollowsTheTypes walks the types and the schema side by side.
func TestSchemaFollowsTheTypes(t *testing.T) {
	var root jsonschema.Schema
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	used := make(map[string]bool)
	var walk func(path string, typ reflect.Type, s *jsonschema.Schema)
	walk = func(path string, typ reflect.Type, s *jsonschema.Schema) {
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ == reflect.TypeFor[metricsList]() {
			if len(s.AnyOf) != 2 {
				t.Fatalf("%s: %d ways to write metrics pages", path, len(s.AnyOf))
			}
			walk(path+"[]", typ.Elem(), s.AnyOf[1].Items)
			typ, s = typ.Elem(), s.AnyOf[0]
		}
		if typ == reflect.TypeFor[section.Logs]() {
			if len(s.AnyOf) != 2 {
				t.Fatalf("%s: %d ways to write logs", path, len(s.AnyOf))
			}
			walk(path+"[]", typ.Elem(), s.AnyOf[1].Items)
			typ, s = typ.Elem(), s.AnyOf[0]
		}
		for short, fields := range map[reflect.Type]reflect.Type{
			reflect.TypeFor[requestSyntax]():        reflect.TypeFor[requestFields](),
			reflect.TypeFor[agentSyntax]():          reflect.TypeFor[agentFields](),
			reflect.TypeFor[metricsSyntax]():        reflect.TypeFor[metricsFields](),
			reflect.TypeFor[section.LogSyntax]():    reflect.TypeFor[section.LogFields](),
			reflect.TypeFor[section.ExportSyntax](): reflect.TypeFor[section.ExportFields](),
			reflect.TypeFor[section.WriteSyntax]():  reflect.TypeFor[section.WriteFields](),
			reflect.TypeFor[section.OTLPSyntax]():   reflect.TypeFor[section.OTLPFields](),

			reflect.TypeFor[section.ReceiverSyntax](): reflect.TypeFor[section.ReceiverFields](),
			reflect.TypeFor[pollSyntax]():             reflect.TypeFor[pollFields](),
			reflect.TypeFor[callbackSyntax]():         reflect.TypeFor[callbackFields](),

			reflect.TypeFor[section.SpanSinkSyntax]():  reflect.TypeFor[section.SpanSinkFields](),
			reflect.TypeFor[section.SpanStoreSyntax](): reflect.TypeFor[section.SpanStoreFields](),
		} {
			if typ != short {
				continue
			}
			if len(s.AnyOf) != 2 {
				t.Fatalf("%s: %d ways to write it", path, len(s.AnyOf))
			}
			typ, s = fields, s.AnyOf[1]
			break
		}
		name, isRef := strings.CutPrefix(s.Ref, "#/$defs/")
		switch {
		case typ == reflect.TypeFor[stepSyntax]():
			own := bind.FieldsOf(reflect.TypeFor[stepFields]())
			for _, part := range []reflect.Type{reflect.TypeFor[stepFields](), reflect.TypeFor[requestFields]()} {
				for _, f := range bind.FieldsOf(part) {
					if _, is := bind.FieldNamed(own, f.Key); is && part != reflect.TypeFor[stepFields]() {
						continue // the step's name
					}
					if p := s.Properties[f.Key]; p == nil || p.Description != f.About {
						t.Errorf("%s.%s is not in the schema, or described as something else", path, f.Key)
					} else {
						walk(path+"."+f.Key, part.Field(f.Index).Type, p)
					}
				}
			}
		case typ == reflect.TypeFor[tables]():
			used["tables"] = true
			walk(path+".*", reflect.TypeFor[tableFields](), root.Defs["tables"].AdditionalProperties.AnyOf[1])
		case isRef:
			if root.Defs[name] == nil {
				t.Errorf("%s: no definition %s", path, name)
			}
			used[name] = true
		case typ.Kind() == reflect.Slice:
			walk(path+"[]", typ.Elem(), s.Items)
		case typ.Kind() == reflect.Struct:
			var keys []string
			for _, f := range bind.FieldsOf(typ) {
				keys = append(keys, f.Key)
				p := s.Properties[f.Key]
				if p == nil {
					t.Errorf("%s.%s is not in the schema", path, f.Key)
					continue
				}
				if p.Description != f.About {
					t.Errorf("%s.%s is described as %q", path, f.Key, p.Description)
				}
				if f.Required != slices.Contains(s.Required, f.Key) {
					t.Errorf("%s.%s: required is %v", path, f.Key, f.Required)
				}
				walk(path+"."+f.Key, typ.Field(f.Index).Type, p)
			}
			for key := range s.Properties {
				if !slices.Contains(keys, key) {
					t.Errorf("%s.%s is in the schema only", path, key)
				}
			}
			if s.AdditionalProperties == nil || s.AdditionalProperties.Not == nil {
				t.Errorf("%s allows unknown keys", path)
			}
		default:
			t.Errorf("%s: %s has no schema", path, typ)
		}
	}
	walk("profile", reflect.TypeFor[profileSyntax](), &root)
	for name := range root.Defs {
		if !used[name] {
			t.Errorf("definition %s is not used", name)
		}
	}
	if root.Schema != "https://json-schema.org/draft/2020-12/schema" || root.ID != SchemaID {
		t.Errorf("schema %q, id %q", root.Schema, root.ID)
	}
}
