package yaml

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampload/rampload/profiles"
)

// Runs of earlier releases are compared with new ones by their fingerprints: a profile keeps
// its own for ever. The profiles have stages of every kind.
func TestFingerprintsStay(t *testing.T) {
	all := texts(t)
	var got strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		p, err := Decode(name+".yaml", all[name], options())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "%s %s %s\n", name, p.Fingerprint(), profiles.Scale(p, 0.3).Fingerprint())
	}
	const golden = "testdata/fingerprints.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("fingerprints of profiles, and of them times 0.3 (-want +got):\n%s", diff)
	}
}
