// Package manifests writes what Kubernetes needs for a run of a fleet: a NATS server,
// workers as an Indexed Job, an agent on each node, the run as a Job, and a kustomization
// that joins them with a profile and credentials of their own.
package manifests

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/rampload/rampload/cmd/internal/bus"
	"github.com/rampload/rampload/profiles/workload"
)

//go:embed templates
var templates embed.FS

// DefaultNATS is the image of the server where none is named: the version that
// rampload itself embeds.
const DefaultNATS = "nats:2.15-alpine"

// Config is what the manifests are made for.
type Config struct {
	Dir          string // is created, and must not be there
	Namespace    string
	Image        string // of rampload
	NATSImage    string // empty: [DefaultNATS]
	Workers      int
	AllowTargets []string            // what workers send to
	Profile      []byte              // text of the profile
	Workloads    []workload.Workload // whose pods the run finds and follows through the API
	Valid        time.Duration
	Now          time.Time
	Helm         bool // a chart for Helm instead of a folder for kubectl apply -k
}

// RightsFile is what whoever may give rights applies, where the run reads the API.
const RightsFile = "rights.yaml"

// Right is a capability of Linux, and what an agent needs it for.
type Right struct{ Name, Why string }

// AgentRights are the capabilities that an agent has, and no others. BPF and PERFMON are
// within SYS_ADMIN, which it takes to enter a namespace (setns(2)).
func AgentRights() []Right {
	return []Right{
		{"SYS_ADMIN", "network namespaces of pods; programs in the kernel that see who sends resets, or tracefs"},
		{"NET_ADMIN", "programs that see packets of resets; tables of connections"},
		{"NET_RAW", "packets of resets before Linux 6.6"},
		{"SYS_PTRACE", "descriptors and sockets of other processes"},
		{"DAC_READ_SEARCH", "files of other users' processes in /proc"},
	}
}

// serverName is the name under which the manifests reach the NATS server.
const serverName = "rampload-nats"

// namespaceName is RFC 1123's label.
var namespaceName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// check refuses what no cluster would take, or what would be taken for YAML.
func (c Config) check() error {
	image := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@-]*$`)
	switch {
	case !namespaceName.MatchString(c.Namespace):
		return fmt.Errorf("namespace %q: write small letters, digits and dashes, such as load-test", c.Namespace)
	case c.Image == "":
		return errors.New("pods need an image of rampload: name one that the cluster can pull with --image, such as registry.internal/rampload:v1 (make release writes it as a tarball)")
	case !image.MatchString(c.Image):
		return fmt.Errorf("image %q: write a name such as registry.internal/rampload:v1", c.Image)
	case !image.MatchString(c.NATSImage):
		return fmt.Errorf("image %q: write a name such as %s", c.NATSImage, DefaultNATS)
	case c.Workers < 1:
		return errors.New("no workers: write --workers 2, or fleet: {workers: 2} in the profile")
	case len(c.AllowTargets) == 0:
		return errors.New("workers send only to targets that they are told to: name them with --allow-target")
	}
	return nil
}

// Write makes the folder, with everything that kubectl apply -k needs, and credentials
// that are valid for a time. The error says in one line what stands in the way.
func Write(c Config) (err error) {
	if c.NATSImage == "" {
		c.NATSImage = DefaultNATS
	}
	if err := c.check(); err != nil {
		return err
	}
	if err := os.Mkdir(c.Dir, 0o700); err != nil {
		if errors.Is(err, os.ErrExist) {
			return fmt.Errorf("%s is there already: name another folder, so that no credentials in use are lost", c.Dir)
		}
		return fmt.Errorf("make folder for manifests: %w", err)
	}
	defer func() {
		if err != nil {
			os.RemoveAll(c.Dir)
		}
	}()
	err = bus.WriteSet(bus.SetConfig{
		Dir: filepath.Join(c.Dir, "team"), Valid: c.Valid, Now: c.Now,
		Hosts: []string{serverName, serverName + "." + c.Namespace, serverName + "." + c.Namespace + ".svc", serverName + "." + c.Namespace + ".svc.cluster.local", "localhost"},
	})
	if err != nil {
		return err
	}
	files := c.render
	if c.Helm {
		files = c.chart
		if err := os.Mkdir(filepath.Join(c.Dir, chartFolder), 0o700); err != nil {
			return fmt.Errorf("make folder for manifests: %w", err)
		}
	}
	all, err := files()
	if err != nil {
		return err
	}
	all["profile.yaml"] = c.Profile
	for name, data := range all {
		if err := os.WriteFile(filepath.Join(c.Dir, name), data, 0o600); err != nil {
			return fmt.Errorf("write manifests: %w", err)
		}
	}
	return nil
}

// filled is what stands in the templates for what a chart leaves to its values.
type filled struct {
	Config
	Workers             string // how many
	EachTarget, EndEach string // around what is said of each target
	Rights              []Right
	Capabilities        []string
	ServerFiles         []string
	Spaces              []space
}

// render fills the templates in.
func (c Config) render() (map[string][]byte, error) {
	return filled{Config: c, Workers: strconv.Itoa(c.Workers)}.render()
}

func (data filled) render() (map[string][]byte, error) {
	set, err := template.New("").Funcs(template.FuncMap{"join": strings.Join, "quote": strconv.Quote}).ParseFS(templates, "templates/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("read templates: %w", err)
	}
	data.Rights, data.Spaces = AgentRights(), spaces(data.Workloads)
	for _, r := range data.Rights {
		data.Capabilities = append(data.Capabilities, r.Name)
	}
	data.ServerFiles = serverFiles()
	out := map[string][]byte{}
	for _, t := range set.Templates() {
		if t.Name() == "" || t.Name() == RightsFile && len(data.Spaces) == 0 {
			continue
		}
		var text bytes.Buffer
		if err := t.Execute(&text, data); err != nil {
			return nil, fmt.Errorf("fill in %s: %w", t.Name(), err)
		}
		out[t.Name()] = text.Bytes()
	}
	return out, nil
}

// serverFiles are those that nats-server reads, in the folder.
func serverFiles() (out []string) {
	for _, name := range bus.ServerFiles() {
		out = append(out, "team/"+filepath.ToSlash(name))
	}
	return out
}
