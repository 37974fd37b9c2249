package bpf

import (
	"bufio"
	"os"
	"slices"
	"strconv"
	"strings"
)

// symbols names the functions that kernel addresses lie in. The table of some
// hundred thousand is read when the first address is asked for, and the answers
// are kept, not the table.
type symbols struct {
	path  string
	names map[uint64]string
}

func newSymbols(path string) *symbols { return &symbols{path: path, names: map[uint64]string{}} }

// readable reports whether the kernel shows this process its addresses.
func (s *symbols) readable() bool {
	f, err := os.Open(s.path)
	if err != nil {
		return false
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() { // variables of each CPU may stand before, at address 0
		if address, _, ok := parseSymbol(lines.Text()); ok {
			return address != 0
		}
	}
	return false
}

// find names addresses; those that are in no function stay empty.
func (s *symbols) find(addresses []uint64) []string {
	var unknown []uint64
	for _, a := range addresses {
		if _, ok := s.names[a]; !ok && a != 0 {
			unknown = append(unknown, a)
		}
	}
	if len(unknown) > 0 && len(s.names) < maxSymbols {
		s.read(unknown)
	}
	names := make([]string, len(addresses))
	for i, a := range addresses {
		names[i] = s.names[a]
	}
	return names
}

// span returns where a function begins and where the next one does; zeros if it is
// not known.
func (s *symbols) span(function string) (at [2]uint64) {
	f, err := os.Open(s.path)
	if err != nil {
		return at
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); { // in the order of their addresses
		address, name, ok := parseSymbol(lines.Text())
		switch {
		case !ok || address == 0:
		case name == function:
			at[0] = address
		case at[0] > 0 && address > at[0]:
			at[1] = address
			return at
		}
	}
	return [2]uint64{}
}

// maxSymbols bounds the answers kept: call sites that reset or drop are some
// dozens.
const maxSymbols = 4096

// read finds the function that begins nearest below each address.
func (s *symbols) read(unknown []uint64) {
	slices.Sort(unknown)
	best := make([]uint64, len(unknown))
	names := make([]string, len(unknown))
	f, err := os.Open(s.path)
	if err == nil {
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			address, name, ok := parseSymbol(lines.Text())
			if !ok || address == 0 {
				continue
			}
			// All unknown ones from the first at or above it on may lie in it.
			i, _ := slices.BinarySearch(unknown, address)
			for ; i < len(unknown) && best[i] < address; i++ {
				best[i], names[i] = address, name
			}
		}
	}
	for i, a := range unknown {
		s.names[a] = names[i]
	}
}

// parseSymbol reads "ffffffff81f81c50 T nf_hook_slow [module]"; ok is false for
// what is no function.
func parseSymbol(line string) (address uint64, name string, ok bool) {
	hex, rest, ok := strings.Cut(line, " ")
	if !ok || len(rest) < 3 || (rest[0] != 't' && rest[0] != 'T') {
		return 0, "", false
	}
	address, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		return 0, "", false
	}
	name, _, _ = strings.Cut(rest[2:], "\t")
	name, _, _ = strings.Cut(name, ".") // clones: tcp_v4_rcv.part.0, .cold
	return address, name, name != ""
}
