package bpf

import (
	"bytes"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// The programs on tracepoints need no type that a module has: one that is not loaded
// must not take away what the kernel itself tells.
func TestTracepointsNeedNoModule(t *testing.T) {
	open(t, Options{})
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	// This kernel's types without those of netfilter's tables, wherever they are here.
	builder, err := btf.NewBuilder(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]bool{"nft_chain": true, "nft_table": true, "nft_pktinfo": true, "xt_table": true}
	for typ, err := range kernel.All() {
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := typ.(*btf.Struct); ok && of[s.Name] {
			s.Name += "_elsewhere"
		}
		if _, err := builder.Add(typ); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := builder.Marshal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	types, err := btf.LoadSpecFromReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := loadTrace()
	if err != nil {
		t.Fatal(err)
	}
	for name, prog := range spec.Programs {
		if prog.AttachType != ebpf.AttachTraceRawTp {
			delete(spec.Programs, name)
		}
	}
	for _, name := range []string{"drop_has_reason"} {
		if err := spec.Variables[name].Set(uint8(1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := spec.Variables["reason_netfilter"].Set(uint32(8)); err != nil {
		t.Fatal(err)
	}
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Programs: ebpf.ProgramOptions{KernelTypes: types}})
	if err != nil {
		t.Fatal(err)
	}
	coll.Close()
}
