package yaml

import (
	"reflect"

	"github.com/rampload/rampload/profiles/yaml/bind"
)

// Key is a key of a profile as [Options].Set takes it.
type Key struct {
	Path  string // with points: client.timeout
	About string // one line
}

// Keys returns the keys of profiles, in the order of the syntax: a section before what is in
// it, and a list whole, for its entries are named by each profile.
func Keys() []Key { return keysOf(reflect.TypeFor[profileSyntax](), "") }

func keysOf(t reflect.Type, above string) []Key {
	var out []Key
	for _, f := range bind.FieldsOf(t) {
		if f.Key == "" {
			continue
		}
		out = append(out, Key{Path: above + f.Key, About: f.About})
		of := t.Field(f.Index).Type
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		if of.Kind() == reflect.Struct && !bind.IsScalar(of) {
			out = append(out, keysOf(of, above+f.Key+".")...)
		}
	}
	return out
}
