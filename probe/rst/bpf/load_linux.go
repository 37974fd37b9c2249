package bpf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

// What is not measured is called by these names.
const what = "kernel programs"

// Programs are the programs in the kernel. They are not for concurrent use.
type Programs struct {
	maps      map[string]*ebpf.Map
	links     []link.Link
	tellers   []*ebpf.Program // of resets: what each of them missed is lost
	ring      *ringbuf.Reader
	record    ringbuf.Record
	kernel    kernelTypes
	cache     *btf.Cache // of the kernel's types, while loading
	entries   error      // why functions cannot be attached to; nil: they can
	symbols   *symbols
	netfilter [2]uint64 // addresses of the function that drops for netfilter, where no reason tells
	missing   []*probe.Unsupported
	lost      uint64                  // records that could not be read
	told      uint64                  // losses at the last reading
	dropped   map[traceDropKey]uint64 // counts at the last reading
	waited    map[traceWaitKey][32]uint64
	attached  map[string]bool
}

// program is one of the programs and the kernel function or tracepoint it hangs on.
type program struct {
	name, target string
	part         string // what is missing without it; empty: nothing, another one stands for it
	modules      []string
}

const (
	partResets   = "resets"
	partNoSocket = "resets that no socket sent"
	partRejects  = "resets of netfilter's REJECT"
	partTables   = "table and chain of dropped packets"
	partTrack    = "packets that connection tracking dropped"
	partQueues   = "dropped handshakes by listener"
	partLastAck  = "handshakes dropped at their last packet"
	partOwners   = "processes that own sockets"
	partDelays   = "time that packets wait for processes"
)

// Open loads and attaches the programs. An error that matches
// [probe.ErrUnsupported] says what is missing here. Close the result.
func Open(o Options) (_ *Programs, err error) {
	if err := permitted(); err != nil {
		return nil, err
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		return nil, &probe.Unsupported{What: what, Reason: "the kernel carries no type information", Needs: "CONFIG_DEBUG_INFO_BTF"}
	}

	p := &Programs{
		maps: map[string]*ebpf.Map{}, attached: map[string]bool{},
		dropped: map[traceDropKey]uint64{}, waited: map[traceWaitKey][32]uint64{},
	}
	p.cache = btf.NewCache()
	defer func() {
		p.cache = nil // 20 MB that nobody needs afterwards
		if err != nil {
			p.Close()
		}
	}()
	if p.kernel, err = readKernelTypes(p.cache); err != nil {
		return nil, err
	}
	p.entries = tryEntry(p.cache)
	p.symbols = newSymbols("/proc/kallsyms")
	_ = rlimit.RemoveMemlock() // counts against memory limits since Linux 5.11
	spec, err := loadTrace()
	if err != nil {
		return nil, fmt.Errorf("read kernel programs: %w", err)
	}
	if err := p.configure(spec, o); err != nil {
		return nil, err
	}
	if err := p.load(spec, o); err != nil {
		return nil, err
	}
	if p.ring, err = ringbuf.NewReader(p.maps["events"]); err != nil {
		return nil, fmt.Errorf("open ring of resets: %w", err)
	}
	if !p.symbols.readable() {
		p.lack("names of kernel functions", "this process may not read their addresses", "CAP_SYSLOG")
	}
	return p, nil
}

// Missing says what of it all this kernel cannot tell, or not to this process.
func (programs *Programs) Missing() []*probe.Unsupported { return programs.missing }

// Close takes the programs out of the kernel. It may be called again, and on none.
func (programs *Programs) Close() {
	if programs == nil {
		return
	}
	for _, l := range programs.links {
		_ = l.Close()
	}
	programs.links = nil
	for _, one := range programs.tellers {
		_ = one.Close()
	}
	programs.tellers = nil
	if programs.ring != nil {
		_ = programs.ring.Close()
		programs.ring = nil
	}
	for name, m := range programs.maps {
		_ = m.Close()
		delete(programs.maps, name)
	}
}

func (programs *Programs) lack(what, reason, needs string) {
	for _, u := range programs.missing {
		if u.What == what {
			return
		}
	}
	programs.missing = append(programs.missing, &probe.Unsupported{What: what, Reason: reason, Needs: needs})
}

// permitted says which capabilities are missing. CAP_SYS_ADMIN stands for both
// (capabilities(7)).
func permitted() error {
	const perfmon, bpf, admin = 38, 39, 21
	var data [2]unix.CapUserData
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	have := func(c int) bool { return data[c/32].Effective>>(c%32)&1 == 1 }
	var needs []string
	if !have(admin) {
		for _, c := range []struct {
			number int
			name   string
		}{{bpf, "CAP_BPF"}, {perfmon, "CAP_PERFMON"}} {
			if !have(c.number) {
				needs = append(needs, c.name)
			}
		}
	}
	if len(needs) > 0 {
		return &probe.Unsupported{What: what, Reason: "this process may not load kernel programs", Needs: strings.Join(needs, " and ")}
	}
	return nil
}

// configure sets the constants of the programs, which the verifier then knows:
// what this kernel lacks is never looked at.
func (programs *Programs) configure(spec *ebpf.CollectionSpec, o Options) error {
	var usual [4]uint64
	for _, name := range usualReasons() {
		if v := programs.kernel.drops.number(name); v > 0 && v < 256 {
			usual[v>>6] |= 1 << (v & 63)
		}
	}
	var bits [1024]uint64
	for _, port := range o.Ports {
		bits[port>>6] |= 1 << (port & 63)
	}
	k := programs.kernel
	set := map[string]any{
		"all_ports": flag(len(o.Ports) == 0), "all_namespaces": flag(len(o.Namespaces) == 0), "port_bits": bits,
		"usual_reasons":    usual,
		"reset_has_reason": flag(k.resetReason), "drop_has_reason": flag(k.dropReason), "drop_has_sock": flag(k.dropSock),
		"reject_has_sock": flag(k.rejectSock), "table_first": flag(k.tableFirst), "accept_has_err": flag(k.acceptErr),
		"has_storage":      flag(k.storage),
		"reason_netfilter": k.drops.number(NetfilterDrop),
		"pid_namespace":    ownPIDNamespace(),
	}
	if !k.dropReason {
		before := newSymbols("/proc/kallsyms") // without what is about to be loaded
		programs.netfilter = before.span("nf_hook_slow")
		set["netfilter_from"], set["netfilter_to"] = programs.netfilter[0], programs.netfilter[1]
	}
	if programs.entries == nil { // else nothing else counts them
		set["reason_overflow"] = k.drops.number("TCP_LISTEN_OVERFLOW")
	}
	if o.PerSecond > 0 {
		set["per_second"] = uint32(o.PerSecond)
	}
	for name, value := range set {
		v := spec.Variables[name]
		if v == nil {
			continue // no program uses it
		}
		if err := v.Set(value); err != nil {
			return fmt.Errorf("configure kernel programs: set %s: %w", name, err)
		}
	}
	return nil
}

// usualReasons are those for which packets are dropped in every healthy connection,
// or that are answered: nothing vanished.
func usualReasons() []string {
	return []string{
		"NO_SOCKET", "TCP_OLD_ACK", "TCP_OLD_DATA", "TCP_OFOMERGE", "TCP_RESET", "TCP_ABORT_ON_DATA", "TCP_CLOSE",
		"SOCKET_CLOSE", "QUEUE_PURGE",
	}
}

func flag(on bool) uint8 {
	if on {
		return 1
	}
	return 0
}

// programs are those that this kernel needs. Modules hold a function on some
// kernels; they are looked at only when loaded.
func (programs *Programs) programs(o Options) []program {
	reject4, reject6 := []string{"nf_reject_ipv4"}, []string{"nf_reject_ipv6"}
	track := []string{"nf_conntrack"}
	list := []program{
		{"on_nft_chain", "nft_do_chain", partTables, []string{"nf_tables"}},
		{"on_nft_verdict", "nft_do_chain", partTables, []string{"nf_tables"}},
		{"on_ipt_chain", "ipt_do_table", partTables, []string{"ip_tables"}},
		{"on_ip6t_chain", "ip6t_do_table", partTables, []string{"ip6_tables"}},
		{"on_ipt_verdict", "ipt_do_table", partTables, []string{"ip_tables"}},
		{"on_ip6t_verdict", "ip6t_do_table", partTables, []string{"ip6_tables"}},
		{"on_unreach_v4", "nf_send_unreach", "", reject4},
		{"on_unreach_v6", "nf_send_unreach6", "", reject6},
		{"on_conntrack_in", "nf_conntrack_in", partTrack, track},
		{"on_conntrack_confirm", "__nf_conntrack_confirm", partTrack, track},
		{"on_reject_v4", "nf_send_reset", partRejects, reject4},
		{"on_reject_v6", "nf_send_reset6", partRejects, reject6},
		{"on_drop", "kfree_skb", "dropped packets", nil},
		{"on_syn", "tcp_conn_request", partQueues, nil},
		{"on_syn_done", "tcp_conn_request", partQueues, nil},
		{"on_established_v4", "tcp_v4_syn_recv_sock", partLastAck, nil},
		{"on_established_v6", "tcp_v6_syn_recv_sock", partLastAck, []string{"ipv6"}},
		{"on_connect", "tcp_connect", partOwners, nil},
		{"on_accept", "inet_csk_accept", partOwners, nil},
		{"on_retransmit", "tcp_retransmit_skb", "retransmissions", nil},
		{"on_send_reset", "tcp_send_reset", partResets, nil},
		{"on_receive_reset", "tcp_receive_reset", partResets, nil},
	}
	if !programs.kernel.resetBare {
		list = append(list,
			program{"on_answer_v4", "tcp_v4_send_reset", partNoSocket, nil},
			program{"on_answer_v6", "tcp_v6_send_reset", partNoSocket, []string{"ipv6"}})
	}
	if !o.WithoutDelays && len(o.Ports) > 0 {
		list = append(list, program{"on_read", "tcp_recvmsg", partDelays, nil})
	}
	if !programs.kernel.storage {
		programs.lack(partOwners, "this kernel cannot keep them with sockets", "Linux 5.11")
		list = slices.DeleteFunc(list, func(one program) bool { return one.name == "on_connect" })
	}
	if !programs.kernel.dropReason {
		// Without reasons the functions that decide count; a drop that none of them
		// saw has a place and no reason.
		programs.lack("reasons of dropped packets", "this kernel gives none", "Linux 5.17")
	}
	return list
}

// load makes the maps, then each program on its own: one that the kernel refuses
// takes no other with it.
func (programs *Programs) load(spec *ebpf.CollectionSpec, o Options) error {
	all := spec.Programs
	spec.Programs = map[string]*ebpf.ProgramSpec{}
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		return unsupported(fmt.Errorf("make maps: %w", err))
	}
	for name, m := range coll.Maps {
		programs.maps[name] = m
		delete(coll.Maps, name)
	}
	coll.Close()
	for _, inode := range o.Namespaces {
		if err := programs.maps["namespaces"].Put(inode, uint8(1)); err != nil {
			return fmt.Errorf("watch network namespace %d: %w", inode, err)
		}
	}
	var closed []string
	for _, one := range programs.programs(o) {
		prog := all[one.name]
		if prog == nil {
			return fmt.Errorf("load kernel programs: no program %s", one.name)
		}
		err := programs.entries
		if prog.AttachType == ebpf.AttachTraceRawTp || err == nil {
			err = programs.attach(spec, one, prog)
		}
		switch {
		case err == nil:
			programs.attached[one.name] = true
		case one.part == partResets:
			return unsupported(fmt.Errorf("attach to %s: %w", one.target, err))
		case errors.Is(err, programs.entries):
			if one.part != "" && !slices.Contains(closed, one.part) {
				closed = append(closed, one.part)
			}
		case absent(err) && len(one.modules) > 0:
			// No module, no rules: nothing is missed until somebody loads it.
			if one.part != "" && unknownModule(one.modules) {
				programs.lack(one.part, "this kernel carries no type information of modules", "Linux 5.11 with CONFIG_DEBUG_INFO_BTF_MODULES")
			}
		case one.part != "":
			programs.lack(one.part, brief(one.target, err), "")
		}
	}
	if len(closed) > 0 {
		programs.lack(strings.Join(closed, ", "), "no fentry in this kernel ("+programs.entries.Error()+")", "")
	}
	return nil
}

func (programs *Programs) attach(spec *ebpf.CollectionSpec, one program, prog *ebpf.ProgramSpec) error {
	single := spec.Copy()
	single.Programs = map[string]*ebpf.ProgramSpec{one.name: prog}
	coll, err := ebpf.NewCollectionWithOptions(single, ebpf.CollectionOptions{MapReplacements: programs.maps, Cache: programs.cache})
	if err != nil {
		return err
	}
	defer coll.Close() // the link holds the program; the maps are clones
	l, err := link.AttachTracing(link.TracingOptions{Program: coll.Programs[one.name]})
	if err != nil {
		return err
	}
	programs.links = append(programs.links, l)
	if strings.Contains(one.name, "reset") || strings.Contains(one.name, "reject") || strings.Contains(one.name, "answer") {
		programs.tellers = append(programs.tellers, coll.Programs[one.name])
		delete(coll.Programs, one.name) // stays open
	}
	return nil
}

// tryEntry finds out whether programs can be attached to functions of the kernel,
// as they can to its tracepoints: not on every architecture, nor wherever the
// kernel was built without direct calls from its function tracer.
func tryEntry(cache *btf.Cache) error {
	spec := &ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{"try": {
		Name: "try", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceFEntry, AttachTo: "tcp_connect", License: "Dual MIT/GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	}}}
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: cache})
	if err != nil {
		return entryError(err)
	}
	defer coll.Close()
	l, err := link.AttachTracing(link.TracingOptions{Program: coll.Programs["try"]})
	if err != nil {
		return entryError(err)
	}
	return l.Close()
}

// entryError is the kernel's answer, without the loader's advice.
func entryError(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// unknownModule reports whether one of the modules is loaded without its types.
func unknownModule(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		_, loaded := os.Stat("/sys/module/" + name + "/initstate") // none if the kernel holds it itself
		_, types := os.Stat("/sys/kernel/btf/" + name)
		return loaded == nil && types != nil
	})
}

func absent(err error) bool {
	return errors.Is(err, btf.ErrNotFound) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, ebpf.ErrNotSupported) && !errors.Is(err, unix.EPERM)
}

// brief is why a program could not be attached, in one line.
func brief(target string, err error) string {
	var verifier *ebpf.VerifierError
	switch {
	case errors.As(err, &verifier):
		return "the kernel's verifier refuses the program on " + target + ": " + verifier.Cause.Error()
	case errors.Is(err, btf.ErrNotFound):
		return "this kernel has no function " + target + " to attach to"
	default:
		return fmt.Sprintf("attach to %s: %v", target, err)
	}
}

func unsupported(err error) error {
	u := &probe.Unsupported{What: what, Reason: err.Error()}
	var verifier *ebpf.VerifierError
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES) && !errors.As(err, &verifier):
		u.Reason, u.Needs = "this kernel does not let this process load programs", "CAP_BPF and CAP_PERFMON in the initial user namespace, no lockdown"
	case absent(err), errors.Is(err, ebpf.ErrNotSupported):
		u.Needs = "Linux 5.10 with CONFIG_DEBUG_INFO_BTF"
	}
	return u
}

// ownPIDNamespace is the inode of our pid namespace, 0 for the initial one, whose
// numbers the kernel gives anyway (PROC_PID_INIT_INO in include/linux/proc_ns.h).
func ownPIDNamespace() uint32 {
	var st unix.Stat_t
	if unix.Stat("/proc/self/ns/pid", &st) != nil || st.Ino == 0xEFFFFFFC {
		return 0
	}
	return uint32(st.Ino)
}
