package section

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/scalar"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// urlOrFields reads a URL, or the fields of a section that has one.
func urlOrFields(d *bind.Decoder, n *tree.Node, key string, url **scalar.Text, fields reflect.Value) {
	if n.Kind != tree.Scalar {
		d.Fields(fields, n, key)
		return
	}
	*url = new(scalar.Text)
	d.Scalar(*url, n, key)
}

func headersOf(list []profiles.Header) *scalar.Headers {
	if len(list) == 0 {
		return nil
	}
	return new(scalar.Headers(list))
}

func oneOf(text, key string, words []string) error {
	if slices.Contains(words, text) {
		return nil
	}
	return fmt.Errorf("%s is none of %s: write one of them, or leave %s out", spelling.Cite(text), strings.Join(words, ", "), key)
}
