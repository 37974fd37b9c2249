package yaml

import (
	"slices"
	"strings"
	"testing"
)

// Every key that is offered is one that Set knows: an override of it may be refused for its
// value, never for the key.
func TestKeysAreSettable(t *testing.T) {
	keys := Keys()
	for _, want := range []string{"name", "client.timeout", "client.retries.max", "gate"} {
		if !slices.ContainsFunc(keys, func(k Key) bool { return k.Path == want }) {
			t.Errorf("%s is not offered", want)
		}
	}
	for _, k := range keys {
		_, err := decodeSet(t, k.Path+"=x")
		if err != nil && (strings.Contains(err.Error(), "unknown key") || strings.Contains(err.Error(), "nothing below")) {
			t.Errorf("%s: %v", k.Path, err)
		}
		if k.About == "" {
			t.Errorf("%s says nothing of itself", k.Path)
		}
	}
}
