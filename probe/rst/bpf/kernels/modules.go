package kernels

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// module is a loadable module of a kernel, unpacked.
type module struct {
	name string
	data []byte
}

// wantedModules hold what the tests set up: packet filters of both kinds, connection
// tracking, address translation, pairs of interfaces, queues.
func wantedModules() []string {
	return []string{
		"nf_tables", "nft_counter", "nft_ct", "nft_limit", "nft_connlimit", "nft_reject_inet", "nft_reject_ipv4", "nft_reject_ipv6", "nft_nat", "nft_masq", "nft_chain_nat", "nft_compat",
		"nft_fib_inet", "nft_fib_ipv4", "nft_fib_ipv6", "nf_conntrack", "nf_conntrack_netlink", "nf_nat",
		"ip_tables", "iptable_filter", "iptable_raw", "iptable_mangle", "iptable_nat", "ip6_tables", "ip6table_filter",
		"ipt_REJECT", "ip6t_REJECT", "xt_tcpudp", "xt_conntrack", "xt_limit", "xt_hashlimit", "xt_comment", "xt_connlimit", "xt_statistic", "xt_nat", "xt_MASQUERADE",
		"veth", "dummy", "sch_tbf", "sch_netem", "inet_diag", "tcp_diag", "netlink_diag", "af_packet",
	}
}

// modules reads those of a kernel's tree that are wanted, and what they depend on,
// in the order in which they can be loaded. One that the kernel holds itself, or has
// not, is left out. root holds modules.order and the modules.
func modules(root string, wanted []string) ([]module, error) {
	paths := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.Contains(d.Name(), ".ko") {
			paths[moduleName(path)] = path
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list modules: %w", err)
	}
	var list []module
	done := map[string]bool{}
	var add func(name string) error
	add = func(name string) error {
		path := paths[name]
		if path == "" || done[name] {
			return nil
		}
		done[name] = true
		data, err := unpack(path)
		if err != nil {
			return err
		}
		for _, need := range depends(data) {
			if err := add(need); err != nil {
				return err
			}
		}
		list = append(list, module{name, data})
		return nil
	}
	for _, name := range wanted {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func moduleName(path string) string {
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	return strings.ReplaceAll(name, "-", "_")
}

// depends reads from a module's .modinfo what must be loaded before it.
func depends(data []byte) []string {
	_, rest, ok := bytes.Cut(data, []byte("\x00depends="))
	if !ok {
		return nil
	}
	names, _, _ := bytes.Cut(rest, []byte{0})
	return slices.DeleteFunc(strings.Split(string(names), ","), func(s string) bool { return s == "" })
}

func unpack(path string) ([]byte, error) {
	tool := map[string]string{".xz": "xz", ".zst": "zstd", ".gz": "gzip"}[filepath.Ext(path)]
	if tool == "" {
		return os.ReadFile(path)
	}
	data, err := exec.Command(tool, "-dc", path).Output()
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", path, err)
	}
	return data, nil
}

// libraries lists the shared libraries of a program, with the loader, as ldd(1)
// tells; none for a static program.
func libraries(program string) []string {
	out, err := exec.Command("ldd", program).Output()
	if err != nil {
		return nil
	}
	var list []string
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		for _, field := range strings.Fields(lines.Text()) {
			if strings.HasPrefix(field, "/") {
				list = append(list, field)
			}
		}
	}
	return list
}
