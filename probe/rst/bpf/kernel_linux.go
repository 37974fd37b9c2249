package bpf

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// kernelTypes is what the programs must know of this kernel beyond the places of
// fields, from its type information.
type kernelTypes struct {
	resets, drops enum
	resetReason   bool // tcp_send_reset has a reason: Linux 6.10
	resetBare     bool // it also fires without a socket: Linux 6.9
	dropReason    bool // kfree_skb has a reason: Linux 5.17
	dropSock      bool // it has the receiving socket: Linux 6.11
	rejectSock    bool // nf_send_reset is given a socket: Linux 5.10
	tableFirst    bool // ipt_do_table is given the table first: Linux 5.16
	storage       bool // tracing programs may keep data with sockets: Linux 5.11
	acceptErr     bool // inet_csk_accept has four arguments: before Linux 6.10
}

func readKernelTypes(cache *btf.Cache) (kernelTypes, error) {
	spec, err := cache.Kernel()
	if err != nil {
		return kernelTypes{}, unsupported(fmt.Errorf("read types of the kernel: %w", err))
	}
	k := kernelTypes{
		resets: readEnum(spec, "sk_rst_reason", "SK_RST_REASON_"),
		drops:  readEnum(spec, "skb_drop_reason", "SKB_DROP_REASON_"),
		// Each tracepoint has a function type whose first parameter is the
		// registration's own.
		resetReason: len(tracepoint(spec, "tcp_send_reset")) > 3,
		dropReason:  len(tracepoint(spec, "kfree_skb")) > 3,
		dropSock:    len(tracepoint(spec, "kfree_skb")) > 4,
		resetBare:   hasStruct(spec, "trace_event_raw_tcp_send_reset"),
		storage:     len(function(cache, spec, "bpf_sk_storage_get_tracing")) > 0,
		acceptErr:   len(function(cache, spec, "inet_csk_accept")) > 2,
	}
	k.rejectSock = len(function(cache, spec, "nf_send_reset", "nf_reject_ipv4")) != 3
	table := function(cache, spec, "ipt_do_table", "ip_tables")
	k.tableFirst = len(table) == 0 || table[0].Name != "skb"
	return k, nil
}

func hasStruct(spec *btf.Spec, name string) bool {
	var s *btf.Struct
	return spec.TypeByName(name, &s) == nil
}

func tracepoint(spec *btf.Spec, name string) []btf.FuncParam {
	var def *btf.Typedef
	if spec.TypeByName("btf_trace_"+name, &def) != nil {
		return nil
	}
	if ptr, ok := def.Type.(*btf.Pointer); ok {
		if proto, ok := ptr.Target.(*btf.FuncProto); ok {
			return proto.Params
		}
	}
	return nil
}

// function returns the parameters of a kernel function, which one of the modules
// may hold; nil if there is none.
func function(cache *btf.Cache, spec *btf.Spec, name string, modules ...string) []btf.FuncParam {
	var f *btf.Func
	err := spec.TypeByName(name, &f)
	for _, m := range modules {
		if err == nil {
			break
		}
		loaded, lerr := cache.Module(m)
		if lerr != nil {
			continue
		}
		err = loaded.TypeByName(name, &f)
	}
	if err != nil {
		return nil
	}
	if proto, ok := f.Type.(*btf.FuncProto); ok {
		return proto.Params
	}
	return nil
}

// enum names the values of one of the kernel's enumerations.
type enum map[uint32]string

func readEnum(spec *btf.Spec, name, prefix string) enum {
	var e *btf.Enum
	if spec.TypeByName(name, &e) != nil {
		return nil
	}
	names := enum{}
	for _, v := range e.Values {
		if short, ok := strings.CutPrefix(v.Name, prefix); ok {
			if _, taken := names[uint32(v.Value)]; !taken {
				names[uint32(v.Value)] = short
			}
		}
	}
	return names
}

func (e enum) name(v uint32) string {
	switch {
	case e == nil:
		return ""
	case e[v] != "":
		return e[v]
	}
	return "reason " + strconv.FormatUint(uint64(v), 10)
}

// number is the value of a name, 0 if there is none.
func (e enum) number(name string) uint32 {
	for v, n := range e {
		if n == name {
			return v
		}
	}
	return 0
}
