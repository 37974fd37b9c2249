package cli

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampload/rampload/profiles/importer"
	"github.com/rampload/rampload/profiles/yaml"
)

const importDir = "../../../profiles/importer/testdata/import"

// TestImport holds what import writes against golden profiles, each of which has to
// pass validation once its variables are set.
var update = flag.Bool("update", false, "rewrite what imports give")

func TestImport(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(importDir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".golden") {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			data = []byte(strings.ReplaceAll(string(data), "testdata/", importDir+"/../"))
			in, err := importer.Import(file, data, "")
			if err != nil {
				t.Fatal(err)
			}
			got, err := importedText(in)
			if err != nil {
				t.Fatal(err)
			}
			got = strings.ReplaceAll(got, importDir+"/../", "testdata/")
			for _, secret := range []string{"s3cr3t", "t0k3n", "abc.def"} {
				if strings.Contains(got, secret) {
					t.Errorf("the profile shows %s:\n%s", secret, got)
				}
			}
			env := func(name string) (string, bool) { return "value-of-" + name, true }
			p, err := yaml.Decode("import.yaml", []byte(got), yaml.Options{Getenv: env})
			if err != nil {
				t.Errorf("the profile does not pass check: %v\n%s", err, got)
			}
			if len(in.Variables) > 0 && p.Secrets.Len() == 0 {
				t.Error("no variable was taken from the environment")
			}
			golden := file + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}
