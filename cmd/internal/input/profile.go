// Package input reads what a command is given: its flags, profiles, reports, run logs and
// baselines. Every error is the user's to put right.
package input

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/importer"
	"github.com/rampload/rampload/profiles/yaml"
)

const BuiltinPrefix = "builtin:"

// LoadProfile reads the profile that the flags name and applies their
// overrides. Every error is the user's to put right.
func LoadProfile(env console.Env, g *Globals, r *Flags) (profiles.Profile, error) {
	name, data, err := ReadProfile(r.Profile)
	if err != nil {
		return profiles.Profile{}, console.Usage(err)
	}
	return DecodeProfile(env, g, r, name, filepath.Dir(r.Profile), data)
}

// DecodeProfile reads a profile's text, whose files are relative to dir, and
// applies the overrides of the flags.
func DecodeProfile(env console.Env, g *Globals, r *Flags, name, dir string, data []byte) (profiles.Profile, error) {
	set := append([]string(nil), g.Set...)
	for _, t := range r.Targets {
		target, url, ok := strings.Cut(t, "=")
		if !ok || target == "" || url == "" {
			return profiles.Profile{}, console.Usage(fmt.Errorf("--target %q: write NAME=URL, such as orders=http://127.0.0.1:8080", t))
		}
		set = append(set, "targets."+target+".url="+url)
	}
	p, err := yaml.Decode(name, data, yaml.Options{Getenv: env.LookupEnv, Set: set, Dir: dir, Resources: ResourceNames(), Reflect: g.Reflect})
	if err != nil {
		return profiles.Profile{}, console.Usage(err)
	}
	p, dropped, err := p.Only(r.only)
	if err != nil {
		return profiles.Profile{}, console.Usage(fmt.Errorf("--only: %w", err))
	}
	for _, gate := range dropped {
		fmt.Fprintf(env.Stderr, "rampload: warning: --only leaves out the gate %s: its target is left out\n", gate)
	}
	if r.Scale != 1 {
		if !(r.Scale > 0) || r.Scale > 1e6 {
			return profiles.Profile{}, console.Usage(fmt.Errorf("--scale %g: write a factor above 0, such as 0.5", r.Scale))
		}
		p = profiles.Scale(p, r.Scale)
	}
	// Read once: check, preflight and run see the same requests.
	if err := importer.Expand(&p); err != nil {
		return profiles.Profile{}, console.Usage(err)
	}
	return p, nil
}

// ReadProfile reads a profile file or an embedded profile.
func ReadProfile(path string) (name string, data []byte, err error) {
	if builtin, ok := strings.CutPrefix(path, BuiltinPrefix); ok {
		data, ok := yaml.Builtin(builtin)
		if !ok {
			return "", nil, fmt.Errorf("no embedded profile %q; there are %s", builtin, strings.Join(yaml.BuiltinNames(), ", "))
		}
		return path, data, nil
	}
	data, err = readBounded(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil, fmt.Errorf("no profile %s; write one with rampload init > %s, or try --profile builtin:demo", path, path)
	case err != nil:
		return "", nil, fmt.Errorf("read profile: %w", err)
	}
	return path, data, nil
}

// maxProfile is more than a profile may have; the decoder says how much that is.
const MaxProfile = 2 << 20

// readBounded reads a file or a pipe, at most maxProfile bytes.
func readBounded(path string) ([]byte, error) {
	f, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxProfile))
}

// OpenFile opens a file or a pipe for reading. A device is neither: some have no
// end.
func OpenFile(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err == nil && info.IsDir():
		err = errors.New("is a folder: name a file in it")
	case err == nil && info.Mode()&fs.ModeDevice != 0:
		err = errors.New("is a device: name a file")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s %w", path, err)
	}
	return f, nil
}

// ResourceNames are the resources that a headroom gate may name: those with a
// limit.
func ResourceNames() []string {
	var names []string
	for _, d := range probe.Catalogue() {
		if d.Kind == probe.HardLimit || d.Kind == probe.Utilisation {
			names = append(names, d.Name)
		}
	}
	return names
}
