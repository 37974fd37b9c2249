package bpf

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unsafe"
)

// bytesOf is a record as the ring hands it over.
func bytesOf(e traceEvent) []byte {
	return slices.Clone(unsafe.Slice((*byte)(unsafe.Pointer(&e)), unsafe.Sizeof(e)))
}

func TestDecode(t *testing.T) {
	p := &Programs{symbols: newSymbols("/nonexistent"), kernel: kernelTypes{resets: enum{7: "NO_SOCKET"}, resetReason: true}}
	e := traceEvent{At: 5, Kind: uint32(Sent), Reason: 7, Family: 2, LocalPort: 80, RemotePort: 4711, Local: [16]uint8{10, 0, 0, 1}, Remote: [16]uint8{10, 0, 0, 2}, State: 1, Pid: 42, Tid: 43, Netns: 9}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&e.Comm[0])), 16), "nginx")
	r, ok := p.decode(bytesOf(e))
	if !ok || r.Kind != Sent || r.Reason != "NO_SOCKET" || r.State != "TCP_ESTABLISHED" || r.Local.String() != "10.0.0.1:80" ||
		r.Remote.String() != "10.0.0.2:4711" || r.Current != (Process{42, 43, "nginx"}) || r.Netns != 9 || r.Stack != nil {
		t.Errorf("%+v, %v", r, ok)
	}
	e.Reject, e.Hook = 1, 2
	if r, ok = p.decode(append(bytesOf(e), 1, 2, 3)); !ok || r.Kind != Rejected || r.Reason != NetfilterReject || r.Hook != "FORWARD" {
		t.Errorf("%+v, %v", r, ok)
	}
	if _, ok = p.decode(bytesOf(e)[1:]); ok {
		t.Error("a record that is too short was read")
	}
}

// FuzzDecode feeds the decoder what no kernel would write.
func FuzzDecode(f *testing.F) {
	e := traceEvent{At: 1, Family: 10, Frames: 1 << 31, State: 255, Hook: 255, Reject: 1}
	f.Add(bytesOf(e))
	f.Add(bytesOf(traceEvent{Kind: 77, Reason: 1 << 30}))
	f.Add([]byte{1})
	kallsyms := filepath.Join(f.TempDir(), "kallsyms")
	if err := os.WriteFile(kallsyms, []byte("ffffffff81000000 T _text\n"), 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := &Programs{symbols: newSymbols(kallsyms), kernel: kernelTypes{resets: enum{7: "NO_SOCKET"}, resetReason: true}}
		r, ok := p.decode(raw)
		if ok != (len(raw) >= int(unsafe.Sizeof(traceEvent{}))) {
			t.Fatalf("%d bytes: %v", len(raw), ok)
		}
		if ok && (r.Count != 1 || len(r.Stack) > len(traceEvent{}.Stack) || len(r.Current.Comm) > 16) {
			t.Errorf("%+v", r)
		}
	})
}

func TestSymbols(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kallsyms")
	text := "ffffffff81000000 T _text\nffffffff81f81c50 T nf_hook_slow\nffffffff81f81d00 t ip_forward.part.0\n" +
		"ffffffff81f81c80 d data\nffffffffc0001000 t nft_do_chain\t[nf_tables]\nnonsense\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSymbols(path)
	got := s.find([]uint64{0xffffffff81f81c90, 0xffffffff81f81d07, 0xffffffffc0001010, 0x10, 0, 0xffffffff81f81c90})
	if want := []string{"nf_hook_slow", "ip_forward", "nft_do_chain", "", "", "nf_hook_slow"}; !slices.Equal(got, want) || !s.readable() {
		t.Errorf("%q, want %q", got, want)
	}
	if got := s.span("nf_hook_slow"); got != [2]uint64{0xffffffff81f81c50, 0xffffffff81f81d00} {
		t.Errorf("nf_hook_slow at %x", got)
	}
	if got := s.span("none"); got != [2]uint64{} {
		t.Errorf("a function that is not there at %x", got)
	}
	if err := os.WriteFile(path, []byte("0000000000000000 T _text\n0000000000000000 T nf_hook_slow\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.find([]uint64{0xffffffffc0001020, 0xffffffffc0301020}); got[0] != "nft_do_chain" || got[1] != "" {
		t.Errorf("%q of a table that is known", got)
	}
	if hidden := newSymbols(path); hidden.readable() || hidden.find([]uint64{5})[0] != "" {
		t.Error("names from a table without addresses")
	}
}

// A module that comes later is found, and a module in use more often is not another.
func TestSymbolsFollowModules(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	core := "ffffffff81f81c50 T nf_hook_slow\n"
	write("kallsyms", core+"ffffffffc0009000 t late\t[late]\nffffffffc0001000 t early\t[early]\n")
	write("modules", "early 16384 0 - Live 0xffffffffc0001000\n")
	s := newSymbols(filepath.Join(dir, "kallsyms"))
	s.modules = filepath.Join(dir, "modules")
	if got := s.find([]uint64{0xffffffffc0001004, 0xffffffffc0009004}); got[0] != "early" || got[1] != "late" {
		t.Errorf("%q", got)
	}
	write("kallsyms", core+"ffffffffc0007000 t other\t[other]\n")
	write("modules", "early 16384 7 - Live 0xffffffffc0001000\n")
	if got := s.find([]uint64{0xffffffffc0009008})[0]; got != "late" {
		t.Errorf("%q: the table was read again", got)
	}
	write("modules", "other 16384 0 - Live 0xffffffffc0007000\nearly 16384 7 - Live 0xffffffffc0001000\n")
	if got := s.find([]uint64{0xffffffffc0007010, 0xffffffffc0009004}); got[0] != "other" || got[1] != "late" {
		t.Errorf("%q", got)
	}
}

func TestEnum(t *testing.T) {
	e := enum{1: "NO_SOCKET"}
	for v, want := range map[uint32]string{1: "NO_SOCKET", 9: "reason 9"} {
		if got := e.name(v); got != want {
			t.Errorf("%d: %q, want %q", v, got, want)
		}
	}
	if enum(nil).name(1) != "" || e.number("NO_SOCKET") != 1 || e.number("none") != 0 {
		t.Error("unknown names have numbers")
	}
}

func TestAddrPort(t *testing.T) {
	for want, c := range map[string]struct {
		family uint16
		raw    [16]uint8
	}{
		"10.0.0.1:80":      {2, [16]uint8{10, 0, 0, 1}},
		"[fd00::1]:80":     {10, [16]uint8{0: 0xfd, 15: 1}},
		"1.2.3.4:80":       {10, [16]uint8{10: 0xff, 11: 0xff, 12: 1, 13: 2, 14: 3, 15: 4}},
		"invalid AddrPort": {0, [16]uint8{}},
	} {
		if got := addrPort(c.family, c.raw, 80); got.String() != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
	if addrPort(1, [16]uint8{}, 1) != (netip.AddrPort{}) {
		t.Error("an address of an unknown family")
	}
}
