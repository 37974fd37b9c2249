package manifests

import (
	"bytes"
	"fmt"
	"path"
	"strconv"
)

// chartFolder is where a chart has its templates.
const chartFolder = "templates"

// chart is the same as a chart for Helm: its values are what changes from run to run,
// profile.yaml is the profile, and team the credentials.
func (c Config) chart() (map[string][]byte, error) {
	values := filled{Config: c, Workers: "{{ .Values.workers }}", EachTarget: "\n{{- range .Values.allowTargets}}", EndEach: "\n{{- end}}"}
	values.Image, values.NATSImage, values.AllowTargets = "{{ .Values.image }}", "{{ .Values.natsImage }}", []string{"{{ . }}"}
	rendered, err := values.render()
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{
		"Chart.yaml": []byte(`apiVersion: v2
name: rampload-run
description: A run of rampload with its server, its workers and an agent on each node
type: application
version: 1.0.0
`),
		"values.yaml":                        c.values(),
		path.Join(chartFolder, "files.yaml"): c.files(),
	}
	for name, text := range rendered {
		if name != "kustomization.yaml" && name != RightsFile {
			out[path.Join(chartFolder, name)] = text
		}
	}
	if rights, there := rendered[RightsFile]; there { // applied by whoever may, as without Helm
		out[RightsFile] = rights
	}
	return out, nil
}

// values are what a chart is made with, and what --set changes.
func (c Config) values() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# helm install rampload %s --namespace %s --set workers=8
# Namespace and server are in the certificates of team: make another chart for another one.
image: %s
natsImage: %s
workers: %d
# What workers send to, and to nothing else.
allowTargets:
`, path.Base(c.Dir), c.Namespace, c.Image, c.NATSImage, c.Workers)
	for _, t := range c.AllowTargets {
		fmt.Fprintf(&b, "  - %s\n", strconv.Quote(t))
	}
	return b.Bytes()
}

// files are the profile and the credentials, which a kustomization makes of their files.
func (c Config) files() []byte {
	var b bytes.Buffer
	b.WriteString(`# What the pods read: of the files of this chart.
apiVersion: v1
kind: ConfigMap
metadata:
  name: rampload-profile
data:
  profile.yaml: {{ .Files.Get "profile.yaml" | toJson }}
`)
	sets := []struct {
		name  string
		files []string
	}{
		{"rampload-server", serverFiles()},
		{"rampload-coordinator", []string{"team/coordinator.creds", "team/ca.pem"}},
		{"rampload-worker", []string{"team/worker.creds", "team/ca.pem"}},
		{"rampload-agent", []string{"team/agent.creds", "team/ca.pem"}},
	}
	for _, s := range sets {
		fmt.Fprintf(&b, "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\ndata:\n", s.name)
		for _, f := range s.files {
			fmt.Fprintf(&b, "  %s: {{ .Files.Get %q | b64enc }}\n", path.Base(f), f)
		}
	}
	return b.Bytes()
}
