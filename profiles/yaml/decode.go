package yaml

import (
	"path/filepath"
	"reflect"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/rules"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// Options are what a profile needs besides its text. The zero value is for a
// profile that stands alone, such as one from a report.
type Options struct {
	// Getenv looks up the variables of ${NAME}; nil: there are none.
	Getenv func(name string) (value string, ok bool)
	// Set overrides values: "client.timeout=2s", "load.0.to=3000/s",
	// "targets.orders.url=http://127.0.0.1:8080". They are applied in order, as
	// if the file had said so; lists are entered by index or by name.
	Set []string
	// Dir is the directory that file names in the profile are relative to. They
	// are joined to it, and must be files that can be opened. Without Dir, file
	// names stay as they are and no file is touched.
	Dir string
	// Reflect asks a gRPC target without .proto files for its schema, as an encoded
	// FileDescriptorSet: nil where it cannot be asked now. Nil: targets are not asked.
	// It needs Dir.
	Reflect func(t profiles.Target, c profiles.Client) ([]byte, error)
	// Resources are the names that headroom gates may use; nil: any.
	Resources []string
}

// Decode reads a profile, fills in the defaults and validates it. Name is the
// name of the file in messages; without its directory and extension it is also
// the name of a profile that has none. Every problem is in the error, an
// *[bind.Error]; rules are checked only once every value could be read.
//
// "${NAME}" in a value (never in a key) is taken from the environment, and "$$"
// stands for "$"; what came from the environment becomes one of the profile's
// secrets, unless it is a name, a number or a gate.
func Decode(name string, data []byte, opt Options) (profiles.Profile, error) {
	d := newDecoder(name, opt.Getenv)
	root, err := tree.Parse(data)
	if err != nil {
		fail(d, err)
		return profiles.Profile{}, bind.NewError(d.Problems)
	}
	for _, assignment := range opt.Set {
		if err := override(root, assignment); err != nil {
			d.Problems = append(d.Problems, *err)
		}
	}
	var s profileSyntax
	if root.Kind == tree.Null {
		d.Problem(root.At, "", "the profile is empty: write targets and load, or let \"rampload init\" write a first one")
	} else {
		d.Fields(bind.ValueOf(&s), root, "")
		if root.Kind == tree.Mapping && root.Get("targets") == nil && root.Get("journeys") == nil {
			d.Problem(root.At, "", "\"targets\" is missing: write targets: [{name: orders, url: http://127.0.0.1:8080}]")
		}
	}
	p := s.profile()
	if len(d.Problems) > 0 {
		return profiles.Profile{}, bind.NewError(d.Problems)
	}
	if s.Name == nil {
		p.Name = nameOf(name)
	}
	p.Secrets = d.Secrets
	p = p.WithDefaults()
	if opt.Dir != "" {
		files(d, &p, root, opt) // before the rules, which know the columns of tables then
		p = p.WithDefaults()    // the steps of journeys name the same files
	}
	for _, problem := range rules.Profile(p, opt.Resources) {
		d.Problem(root.Find(problem.Path), "", "%s", problem.Message)
	}
	if len(d.Problems) > 0 {
		return profiles.Profile{}, bind.NewError(d.Problems)
	}
	return p, nil
}

// nameOf makes the name of a profile from that of its file.
func nameOf(file string) string {
	base := filepath.Base(file)
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '-'
	}, strings.TrimSuffix(base, filepath.Ext(base)))
	name = strings.TrimLeft(name, "._-")
	if name == "" {
		return "profile"
	}
	return name[:min(len(name), 64)] // as long as a name may be
}

func fail(d *bind.Decoder, err error) {
	if p, ok := err.(*tree.Error); ok { //nolint:errorlint // parseText returns nothing else, and wraps nothing
		d.Problem(p.At, "", "%s", p.Msg)
		return
	}
	d.Problem(tree.Position{}, "", "%s", err)
}

// newDecoder returns a decoder of profiles; name is that of the file in messages.
func newDecoder(name string, getenv func(string) (string, bool)) *bind.Decoder {
	return &bind.Decoder{
		File: name, Getenv: getenv, Expander: expandFilled, Root: reflect.TypeFor[profileSyntax](), Speaks: profiles.SpeaksHTTP,
	}
}
