package ramp

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampload/rampload/profiles"
)

func TestReadTargets(t *testing.T) {
	want := []profiles.Target{
		{Name: "one.test:8080", URL: "http://one.test:8080", Requests: []profiles.Request{
			{Method: "GET", Path: "/a?b=c", Headers: []profiles.Header{{Name: "X-Tenant", Value: "red"}, {Name: "X-Tenant", Value: "blue"}, {Name: "accept", Value: "*/*"}}, Weight: 1},
			{Method: "DELETE", Path: "/gone", Weight: 1},
		}},
		{Name: "two.test", URL: "http://two.test", Requests: []profiles.Request{
			{Method: "POST", Path: "/orders", Headers: []profiles.Header{{Name: "Content-Type", Value: "application/json"}}, Body: "{\"sku\":\"A-1\"}\n", Weight: 1},
		}},
	}
	for _, file := range []string{"testdata/targets.txt", "testdata/targets.json"} {
		got, err := ReadTargets(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", file, d)
		}
	}
}

func TestReadTargetsRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string]struct{ content, want string }{
		"empty":       {"", "has none"},
		"only spaces": {" \n\n", "has none"},
		"no method":   {"http://a.test/\n", "target 1"},
		"bad header":  {"GET http://a.test/\nnonsense\n", "target 1"},
		"no host":     {"GET /relative\n", "not an http or https URL"},
		"scheme":      {"GET http://a.test/\n\nGET ftp://a.test/\n", "target 2"},
		"json":        {"{\"method\":\"GET\"}\n", "target 1"},
		"not json":    {"{\n", "target 1"},
		"no body":     {"GET http://a.test/\n@missing.json\n", "missing.json"},
	} {
		path := filepath.Join(dir, "targets")
		if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadTargets(path); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, tt.want)
		}
	}
	if _, err := ReadTargets(filepath.Join(dir, "nothing")); err == nil {
		t.Error("no error for a missing file")
	}
}

func FuzzReadTargets(f *testing.F) {
	for _, name := range []string{"testdata/targets.txt", "testdata/targets.json"} {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	path := filepath.Join(f.TempDir(), "targets")
	f.Fuzz(func(t *testing.T, b []byte) {
		if strings.Contains(string(b), "@") {
			t.Skip("reads other files")
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		targets, err := ReadTargets(path)
		if (err == nil) != (len(targets) > 0) {
			t.Errorf("%d targets and %v", len(targets), err)
		}
	})
}
