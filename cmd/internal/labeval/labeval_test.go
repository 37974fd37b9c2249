package labeval

import (
	"slices"
	"testing"
)

func TestParseSeeds(t *testing.T) {
	for text, want := range map[string][]uint64{"7": {7}, "1-3": {1, 2, 3}, "4-4": {4}} {
		if got, err := parseSeeds(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "3-1", "1-", "-1", "1-99999", "1.5"} {
		if got, err := parseSeeds(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestMatchesAny(t *testing.T) {
	for _, test := range []struct {
		globs []string
		want  bool
	}{{[]string{"*"}, true}, {[]string{"oom", "nginx-*"}, true}, {[]string{"oom"}, false}, {nil, false}} {
		if got, err := matchesAny(test.globs, "nginx-connections"); err != nil || got != test.want {
			t.Errorf("%v: %v, %v", test.globs, got, err)
		}
	}
	if _, err := matchesAny([]string{"[x"}, "x"); err == nil {
		t.Error("a broken pattern matches")
	}
}
