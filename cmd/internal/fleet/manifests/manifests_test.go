package manifests

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func config(t *testing.T) Config {
	t.Helper()
	return Config{
		Dir: filepath.Join(t.TempDir(), "k8s"), Namespace: "load", Image: "registry.internal/rampload:v1", Workers: 3,
		AllowTargets: []string{"http://orders.shop:8080", "*.shop.internal:443"}, Profile: []byte("name: peak\n"),
		Valid: time.Hour, Now: time.Now(),
	}
}

// objects decodes everything in the folder as strictly as the API server would with
// --validate=strict: an unknown or doubled field is an error.
type objects struct {
	Service *corev1.Service
	NATS    *appsv1.StatefulSet
	Workers *batchv1.Job
	Agents  *appsv1.DaemonSet
	Run     *batchv1.Job
	Claim   *corev1.PersistentVolumeClaim
	All     *kustomization
}

// kustomization has the fields of kustomize.config.k8s.io/v1beta1 that are used here,
// by its reference (https://kubectl.docs.kubernetes.io/references/kustomize/): its Go
// types would bring thirty modules.
type kustomization struct {
	APIVersion         string      `json:"apiVersion"`
	Kind               string      `json:"kind"`
	Namespace          string      `json:"namespace"`
	Resources          []string    `json:"resources"`
	SecretGenerator    []generator `json:"secretGenerator"`
	ConfigMapGenerator []generator `json:"configMapGenerator"`
}

type generator struct {
	Name  string   `json:"name"`
	Files []string `json:"files"`
}

func decode(t *testing.T, dir string) objects {
	t.Helper()
	var out objects
	kinds := map[string][]any{}
	strictly := func(into any, doc []byte) any {
		if err := yaml.UnmarshalStrict(doc, into); err != nil {
			t.Fatalf("%v in:\n%s", err, doc)
		}
		return into
	}
	for _, name := range []string{"nats.yaml", "workers.yaml", "agents.yaml", "run.yaml"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range bytes.Split(text, []byte("\n---\n")) {
			var head struct{ APIVersion, Kind string }
			if err := yaml.Unmarshal(doc, &head); err != nil {
				t.Fatal(err)
			}
			switch key := head.APIVersion + " " + head.Kind; key {
			case "v1 Service":
				kinds[key] = append(kinds[key], strictly(&corev1.Service{}, doc))
			case "v1 PersistentVolumeClaim":
				kinds[key] = append(kinds[key], strictly(&corev1.PersistentVolumeClaim{}, doc))
			case "apps/v1 StatefulSet":
				kinds[key] = append(kinds[key], strictly(&appsv1.StatefulSet{}, doc))
			case "apps/v1 DaemonSet":
				kinds[key] = append(kinds[key], strictly(&appsv1.DaemonSet{}, doc))
			case "batch/v1 Job":
				kinds[key] = append(kinds[key], strictly(&batchv1.Job{}, doc))
			default:
				t.Fatalf("%s: nobody expects a %s", name, key)
			}
		}
	}
	out.Service = kinds["v1 Service"][0].(*corev1.Service)
	out.Claim = kinds["v1 PersistentVolumeClaim"][0].(*corev1.PersistentVolumeClaim)
	out.NATS = kinds["apps/v1 StatefulSet"][0].(*appsv1.StatefulSet)
	out.Agents = kinds["apps/v1 DaemonSet"][0].(*appsv1.DaemonSet)
	out.Workers = kinds["batch/v1 Job"][0].(*batchv1.Job)
	out.Run = kinds["batch/v1 Job"][1].(*batchv1.Job)
	text, err := os.ReadFile(filepath.Join(dir, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	out.All = strictly(&kustomization{}, text).(*kustomization)
	return out
}

func TestManifests(t *testing.T) {
	c := config(t)
	if err := Write(c); err != nil {
		t.Fatal(err)
	}
	o := decode(t, c.Dir)
	if w := o.Workers.Spec; *w.Completions != 3 || *w.Parallelism != 3 || *w.CompletionMode != batchv1.IndexedCompletion {
		t.Errorf("workers: %+v", w)
	}
	args := o.Workers.Spec.Template.Spec.Containers[0].Args
	for _, want := range []string{"--allow-target=http://orders.shop:8080", "--allow-target=*.shop.internal:443", "--name=worker-$(JOB_COMPLETION_INDEX)"} {
		if !slices.Contains(args, want) {
			t.Errorf("worker without %s: %q", want, args)
		}
	}
	if args := o.Run.Spec.Template.Spec.Containers[0].Args; !slices.Contains(args, "--set=fleet.workers=3") || !slices.Contains(args, "--set=fleet.within=10m") || *o.Run.Spec.BackoffLimit != 0 {
		t.Errorf("run %q, repeated %d times", args, *o.Run.Spec.BackoffLimit)
	}
	// Nobody but the agent has any right, and the agent has those that are explained.
	for name, pod := range map[string]corev1.PodSpec{
		"nats": o.NATS.Spec.Template.Spec, "worker": o.Workers.Spec.Template.Spec, "run": o.Run.Spec.Template.Spec, "agent": o.Agents.Spec.Template.Spec,
	} {
		security := pod.Containers[0].SecurityContext
		if !slices.Equal(security.Capabilities.Drop, []corev1.Capability{"ALL"}) || *security.AllowPrivilegeEscalation || security.Privileged != nil || !*security.ReadOnlyRootFilesystem {
			t.Errorf("%s: %+v", name, security)
		}
		if *pod.AutomountServiceAccountToken || pod.ServiceAccountName != "" {
			t.Errorf("%s has a token for the API that it does not use", name)
		}
		if name != "agent" && (len(security.Capabilities.Add) > 0 || pod.HostPID || pod.HostNetwork || !*pod.SecurityContext.RunAsNonRoot) {
			t.Errorf("%s has rights that it does not need: %+v", name, security)
		}
	}
	var want []corev1.Capability
	for _, r := range AgentRights() {
		want = append(want, corev1.Capability(r.Name))
	}
	agent := o.Agents.Spec.Template.Spec
	if got := agent.Containers[0].SecurityContext.Capabilities.Add; !slices.Equal(got, want) || !agent.HostPID || !agent.HostNetwork {
		t.Errorf("agent: %q, want %q", got, want)
	}
}

// TestEverythingIsThere follows each name from where it is used to where it is made.
func TestEverythingIsThere(t *testing.T) {
	c := config(t)
	if err := Write(c); err != nil {
		t.Fatal(err)
	}
	o := decode(t, c.Dir)
	made := map[string]bool{"secret rampload-env": true, "claim " + o.Claim.Name: true}
	for _, s := range o.All.SecretGenerator {
		made["secret "+s.Name] = true
		for _, f := range s.Files {
			if _, err := os.Stat(filepath.Join(c.Dir, f)); err != nil {
				t.Errorf("secret %s: %v", s.Name, err)
			}
		}
	}
	for _, m := range o.All.ConfigMapGenerator {
		made["config "+m.Name] = true
		for _, f := range m.Files {
			if _, err := os.Stat(filepath.Join(c.Dir, f)); err != nil {
				t.Errorf("config map %s: %v", m.Name, err)
			}
		}
	}
	for _, r := range o.All.Resources {
		if _, err := os.Stat(filepath.Join(c.Dir, r)); err != nil {
			t.Errorf("resource %s: %v", r, err)
		}
	}
	for _, pod := range []corev1.PodTemplateSpec{o.NATS.Spec.Template, o.Workers.Spec.Template, o.Run.Spec.Template, o.Agents.Spec.Template} {
		volumes := map[string]bool{}
		for _, v := range pod.Spec.Volumes {
			volumes[v.Name] = true
			switch {
			case v.Secret != nil && !made["secret "+v.Secret.SecretName],
				v.ConfigMap != nil && !made["config "+v.ConfigMap.Name],
				v.PersistentVolumeClaim != nil && !made["claim "+v.PersistentVolumeClaim.ClaimName]:
				t.Errorf("volume %+v is of nothing that is made", v)
			}
		}
		for _, m := range pod.Spec.Containers[0].VolumeMounts {
			if !volumes[m.Name] {
				t.Errorf("mount %s is of no volume", m.Name)
			}
		}
		for name, selector := range map[string]map[string]string{"service": o.Service.Spec.Selector} {
			if pod.Labels["app.kubernetes.io/component"] == "nats" && !covers(pod.Labels, selector) {
				t.Errorf("%s does not select the server: %v", name, selector)
			}
		}
	}
	for name, s := range map[string][2]map[string]string{
		"nats": {o.NATS.Spec.Selector.MatchLabels, o.NATS.Spec.Template.Labels}, "agent": {o.Agents.Spec.Selector.MatchLabels, o.Agents.Spec.Template.Labels},
	} {
		if !covers(s[1], s[0]) {
			t.Errorf("%s does not select its own pods", name)
		}
	}
}

func covers(labels, selector map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return len(selector) > 0
}

// TestServerReadsItsConfiguration starts the server as its pod does, with its files in a
// folder that it cannot write to.
func TestServerReadsItsConfiguration(t *testing.T) {
	c := config(t)
	if err := Write(c); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(c.Dir, "team", "server")
	t.Chdir(dir)
	data := t.TempDir()
	opts := &server.Options{ConfigFile: filepath.Join(dir, "nats-server.conf"), StoreDir: data}
	read, err := server.ProcessConfigFile(opts.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	merged := server.MergeOptions(read, opts)
	if merged.StoreDir != data || !merged.JetStream || merged.TLSConfig == nil {
		t.Fatalf("store %s, JetStream %v", merged.StoreDir, merged.JetStream)
	}
	if !slices.Contains(merged.TLSConfig.Certificates[0].Leaf.DNSNames, "rampload-nats.load.svc") {
		t.Errorf("certificate for %q", merged.TLSConfig.Certificates[0].Leaf.DNSNames)
	}
	merged.Host, merged.Port, merged.NoSigs, merged.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	s, err := server.NewServer(merged)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	if !s.ReadyForConnections(10*time.Second) || !s.JetStreamEnabled() {
		t.Error("the server is not ready for runs")
	}
}

func TestRefused(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"write small letters":      func(c *Config) { c.Namespace = "Load Test" },
		"--image":                  func(c *Config) { c.Image = "" },
		"write a name such as":     func(c *Config) { c.Image = "a\nprivileged: true" },
		"--workers":                func(c *Config) { c.Workers = 0 },
		"--allow-target":           func(c *Config) { c.AllowTargets = nil },
		"is there already":         func(c *Config) { c.Dir = filepath.Dir(c.Dir) },
		"such as nats:":            func(c *Config) { c.NATSImage = "{}" },
		"make folder for manifest": func(c *Config) { c.Dir = filepath.Join(c.Dir, "a", "b") },
	} {
		c := config(t)
		change(&c)
		if err := Write(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestHostileNames takes what YAML would read as something else.
func TestHostileNames(t *testing.T) {
	c := config(t)
	c.AllowTargets = []string{"a: b", `x"y`, "#no", "{z}"}
	if err := Write(c); err != nil {
		t.Fatal(err)
	}
	args := decode(t, c.Dir).Workers.Spec.Template.Spec.Containers[0].Args
	for _, target := range c.AllowTargets {
		if !slices.Contains(args, "--allow-target="+target) {
			t.Errorf("%q is not among %q", target, args)
		}
	}
}
