package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/importer"
	"github.com/rampload/rampload/profiles/yaml"
)

const builtinPrefix = "builtin:"

// loadProfile reads the profile that the flags name and applies their
// overrides. Every error is the user's to put right.
func loadProfile(env Env, g *globals, r *runFlags) (profiles.Profile, error) {
	name, data, err := readProfile(r.profile)
	if err != nil {
		return profiles.Profile{}, usage(err)
	}
	return decodeProfile(env, g, r, name, filepath.Dir(r.profile), data)
}

// decodeProfile reads a profile's text, whose files are relative to dir, and
// applies the overrides of the flags.
func decodeProfile(env Env, g *globals, r *runFlags, name, dir string, data []byte) (profiles.Profile, error) {
	set := append([]string(nil), g.set...)
	for _, t := range r.targets {
		target, url, ok := strings.Cut(t, "=")
		if !ok || target == "" || url == "" {
			return profiles.Profile{}, usage(fmt.Errorf("--target %q: write NAME=URL, such as orders=http://127.0.0.1:8080", t))
		}
		set = append(set, "targets."+target+".url="+url)
	}
	p, err := yaml.Decode(name, data, yaml.Options{Getenv: env.LookupEnv, Set: set, Dir: dir, Resources: resourceNames()})
	if err != nil {
		return profiles.Profile{}, usage(err)
	}
	p, dropped, err := p.Only(r.only)
	if err != nil {
		return profiles.Profile{}, usage(fmt.Errorf("--only: %w", err))
	}
	for _, gate := range dropped {
		fmt.Fprintf(env.Stderr, "rampload: warning: --only leaves out the gate %s: its target is left out\n", gate)
	}
	if r.scale != 1 {
		if !(r.scale > 0) || r.scale > 1e6 {
			return profiles.Profile{}, usage(fmt.Errorf("--scale %g: write a factor above 0, such as 0.5", r.scale))
		}
		p = profiles.Scale(p, r.scale)
	}
	// Read once: check, preflight and run see the same requests.
	if err := importer.Expand(&p); err != nil {
		return profiles.Profile{}, usage(err)
	}
	return p, nil
}

// readProfile reads a profile file or an embedded profile.
func readProfile(path string) (name string, data []byte, err error) {
	if builtin, ok := strings.CutPrefix(path, builtinPrefix); ok {
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
const maxProfile = 2 << 20

// readBounded reads a file or a pipe, at most maxProfile bytes.
func readBounded(path string) ([]byte, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxProfile))
}

// openFile opens a file or a pipe for reading. A device is neither: some have no
// end.
func openFile(path string) (*os.File, error) {
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

// resourceNames are the resources that a headroom gate may name: those with a
// limit.
func resourceNames() []string {
	var names []string
	for _, d := range probe.Catalogue() {
		if d.Kind == probe.HardLimit || d.Kind == probe.Utilisation {
			names = append(names, d.Name)
		}
	}
	return names
}
