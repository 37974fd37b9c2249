package protocol

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"reflect"
)

// Spoken is what a worker, or an agent, understands: the version of the protocol and the
// shape of what it is told. A part of an order that a program of another day does not
// know would be left out without a word, and it would send another load.
func Spoken(worker bool) string {
	told := reflect.TypeFor[Request]()
	if worker {
		told = reflect.TypeFor[Order]()
	}
	sum := sha256.New()
	shape(sum, told, map[reflect.Type]bool{})
	return fmt.Sprintf("%d-%s", Version, hex.EncodeToString(sum.Sum(nil))[:12])
}

// shape writes the fields of a type, those of its parts included, each type once.
func shape(w io.Writer, t reflect.Type, seen map[reflect.Type]bool) {
	fmt.Fprintf(w, "%s %s;", t.Kind(), t.Name())
	if seen[t] {
		return
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			fmt.Fprintf(w, "%s %s:", f.Name, f.Tag.Get("json"))
			shape(w, f.Type, seen)
		}
	case reflect.Map:
		shape(w, t.Key(), seen)
		shape(w, t.Elem(), seen)
	case reflect.Slice, reflect.Array, reflect.Pointer:
		shape(w, t.Elem(), seen)
	}
}
