package bpf

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/rampload/rampload/probe"
)

// skip skips a test for a reason, or fails it where every test must run.
func skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("RAMPLOAD_NO_SKIP") == "1" {
		t.Fatalf("must not skip: "+format, args...)
	}
	t.Skipf(format, args...)
}

// open opens the programs, or skips the test where that cannot be done. What the
// kernel itself cannot do is no fault of whoever runs the tests: it skips also where
// every test must run. A missing right may be given, and fails there.
func open(t *testing.T, o Options) *Programs {
	t.Helper()
	p, err := Open(o)
	if u := (*probe.Unsupported)(nil); errors.As(err, &u) {
		if strings.Contains(u.Needs, "CAP_") {
			skip(t, "%v", err)
		}
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// Every program that this kernel has a place for passes its verifier, and what is
// left out is said.
func TestOpenHere(t *testing.T) {
	p := open(t, Options{Ports: []uint16{8080}})
	for _, name := range []string{"on_send_reset", "on_receive_reset", "on_retransmit", "on_drop"} {
		if !p.Attached()[name] {
			t.Errorf("%s is not attached", name)
		}
	}
	for _, u := range p.Missing() {
		if u.Reason == "" || u.What == "" {
			t.Errorf("missing without a reason: %+v", u)
		}
		if strings.Contains(u.Reason, "verifier") {
			t.Error(u)
		}
		t.Log(u)
	}
	p.Close()
	p.Close()
}

// The objects of both architectures are what the loader expects of them.
func TestObjectsAreAlike(t *testing.T) {
	specs := map[string]*ebpf.CollectionSpec{}
	for _, arch := range []string{"x86", "arm64"} {
		f, err := os.Open("trace_" + arch + "_bpfel.o")
		if errors.Is(err, os.ErrNotExist) {
			t.Skip("needs the source") // the test binary runs alone in a virtual machine
		}
		if err != nil {
			t.Fatal(err)
		}
		specs[arch], err = ebpf.LoadCollectionSpecFromReader(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	for arch, spec := range specs {
		for name, m := range spec.Maps {
			if m.Pinning != ebpf.PinNone {
				t.Errorf("%s: map %s would outlive its process", arch, name)
			}
		}
	}
	if len(specs["x86"].Programs) == 0 || len(specs["x86"].Programs) != len(specs["arm64"].Programs) {
		t.Errorf("%d and %d programs", len(specs["x86"].Programs), len(specs["arm64"].Programs))
	}
	for name, prog := range specs["x86"].Programs {
		other := specs["arm64"].Programs[name]
		if other == nil || other.Type != prog.Type || other.AttachTo != prog.AttachTo || len(other.Instructions) != len(prog.Instructions) {
			t.Errorf("%s differs: %+v", name, other)
		}
	}
	p := &Programs{}
	for _, one := range p.programs(Options{Ports: []uint16{1}}) {
		spec := specs["arm64"].Programs[one.name]
		if spec == nil || spec.AttachTo != one.target {
			t.Errorf("%s is not on %s: %+v", one.name, one.target, spec)
		}
	}
}
