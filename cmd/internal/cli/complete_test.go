package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rampload/rampload/cmd/internal/console"
)

func TestComplete(t *testing.T) {
	dir := t.TempDir()
	profile := filepath.Join(dir, "peak.yaml")
	if err := os.WriteFile(profile, []byte("name: peak\ntargets: [{name: orders, url: \"http://x:${PORT}\"}, {name: carts, url: http://x}]\nload: [{at: 5/s, for: 1s}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ line, want string }{
		{"run|" + dir + "/", profile},
		{"check|builtin:p", "builtin:peak"},
		{"run|-p|builtin:", "builtin:soak"},
		{"demo|", "descriptors\t"},
		{"run|--set|client.time", "client.timeout=\t"},
		{"run|" + profile + "|--target|", "orders="},
		{"run|-p|" + profile + "|--only|", "carts"},
		{"report|x.json|--format|", "junit"},
		{"compare|--format|", "html"},
		{"report|", "runlog"},
		{"explain|serv", "server-file-descriptors\t"},
	} {
		var out bytes.Buffer
		cmd := Command(console.Env{Stdout: &out, Stderr: &bytes.Buffer{}, LookupEnv: func(string) (string, bool) { return "", false }})
		cmd.SetOut(&out)
		cmd.SetErr(&bytes.Buffer{})
		cmd.SetArgs(append([]string{"__complete"}, strings.Split(c.line, "|")...))
		if err := cmd.Execute(); err != nil {
			t.Errorf("%s: %v", c.line, err)
		}
		if !strings.Contains("\n"+out.String(), "\n"+c.want) {
			t.Errorf("%s: %q is not offered in\n%s", c.line, c.want, out.String())
		}
	}
}
