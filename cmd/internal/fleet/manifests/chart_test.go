package manifests

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"text/template"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// folder is what a chart's templates see of its files.
type folder string

func (f folder) Get(name string) (string, error) {
	data, err := os.ReadFile(filepath.Join(string(f), name))
	return string(data), err
}

// A chart, filled in with its own values as Helm fills it in, is what kubectl applies
// without Helm; its secrets are the files of the credentials.
func TestChart(t *testing.T) {
	plain := config(t)
	if err := Write(plain); err != nil {
		t.Fatal(err)
	}
	c := config(t)
	c.Dir, c.Helm = filepath.Join(t.TempDir(), "chart"), true
	if err := Write(c); err != nil {
		t.Fatal(err)
	}
	read := func(dir, name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	values := map[string]any{}
	if err := yaml.Unmarshal(read(c.Dir, "values.yaml"), &values); err != nil {
		t.Fatal(err)
	}
	fill := func(name string) []byte {
		set, err := template.New(name).Option("missingkey=error").Funcs(template.FuncMap{
			"b64enc": func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
			"toJson": func(v any) (string, error) { b, err := json.Marshal(v); return string(b), err },
		}).Parse(string(read(c.Dir, "templates/"+name)))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := set.Execute(&out, map[string]any{"Values": values, "Files": folder(c.Dir)}); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	for _, name := range []string{"nats.yaml", "workers.yaml", "agents.yaml", "run.yaml"} {
		if got, want := fill(name), read(plain.Dir, name); !bytes.Equal(got, want) {
			t.Errorf("%s of the chart is\n%s\nand without Helm\n%s", name, got, want)
		}
	}
	secrets := map[string]map[string][]byte{}
	for i, doc := range bytes.Split(fill("files.yaml"), []byte("\n---\n")) {
		if i == 0 {
			var m corev1.ConfigMap
			if err := yaml.UnmarshalStrict(doc, &m); err != nil || m.Data["profile.yaml"] != string(c.Profile) {
				t.Errorf("%v in\n%s", err, doc)
			}
			continue
		}
		var s corev1.Secret
		if err := yaml.UnmarshalStrict(doc, &s); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		secrets[s.Name] = s.Data
	}
	var all kustomization
	if err := yaml.Unmarshal(read(plain.Dir, "kustomization.yaml"), &all); err != nil {
		t.Fatal(err)
	}
	for _, g := range all.SecretGenerator {
		if len(secrets[g.Name]) != len(g.Files) {
			t.Errorf("secret %s has %d files, want %v", g.Name, len(secrets[g.Name]), g.Files)
		}
		for _, f := range g.Files {
			if got := secrets[g.Name][filepath.Base(f)]; !bytes.Equal(got, read(c.Dir, f)) || len(got) == 0 {
				t.Errorf("secret %s: %s is not the file", g.Name, f)
			}
		}
	}
}
