package yaml

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/fingerprint"
)

// Runs of earlier releases are compared with new ones by their fingerprints: a profile keeps
// its own for ever. The profiles have stages of every kind.
func TestFingerprintsStay(t *testing.T) {
	now := map[string]string{}
	for name, text := range texts(t) {
		p, err := Decode(name+".yaml", text, options())
		if err != nil {
			t.Fatal(err)
		}
		now[name] = fingerprint.Of(p) + " " + fingerprint.Of(profiles.Scale(p, 0.3))
	}
	const golden = "testdata/fingerprints.txt"
	if *update { // adds those of new profiles
		var all strings.Builder
		for _, name := range slices.Sorted(maps.Keys(now)) {
			all.WriteString(name + " " + now[name] + "\n")
		}
		if err := os.WriteFile(golden, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	recorded, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(recorded)) {
		name, want, _ := strings.Cut(strings.TrimSpace(line), " ")
		if now[name] != want {
			t.Errorf("fingerprints of %s, and of it times 0.3, are %s, were %s", name, now[name], want)
		}
	}
}
