package bpf

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"os"
	"slices"
	"strconv"
)

// symbols names the functions that kernel addresses lie in. The table is read once,
// before anything is measured: to read its two hundred thousand lines takes the kernel
// a tenth of a second. What is kept of it, the functions, takes 5 MB. It is read again
// only for an address that is new, when modules have come or gone since.
type symbols struct {
	path, modules string
	read          bool
	functions     []symbol
	text          []byte // their names
	loaded        []byte // modules, when it was read
	names         map[uint64]string
}

// symbol is a function: it begins at an address and has the name text[from:to].
type symbol struct {
	at       uint64
	from, to uint32
}

// maxFunction bounds how far into a function an address may lie: beyond, the function
// that it lies in is not in the table.
const maxFunction = 1 << 20

// newSymbols reads from a file as /proc/kallsyms when it is first asked.
func newSymbols(path string) *symbols {
	return &symbols{path: path, modules: "/proc/modules", names: map[uint64]string{}}
}

// readable reports whether the kernel shows this process its addresses.
func (s *symbols) readable() bool {
	s.once()
	return len(s.functions) > 0
}

// find names addresses; those that are in no function stay empty.
func (s *symbols) find(addresses []uint64) []string {
	s.once()
	names := make([]string, len(addresses))
	looked := false
	for i, a := range addresses {
		if a == 0 {
			continue
		}
		name, ok := s.names[a]
		if !ok && len(s.names) < maxSymbols {
			if !looked {
				looked = true
				s.follow()
			}
			name = s.name(a)
			s.names[a] = name
		}
		names[i] = name
	}
	return names
}

// span returns where a function begins and where the next one does; zeros if it is
// not known.
func (s *symbols) span(name string) (at [2]uint64) {
	s.once()
	for i, f := range s.functions {
		if at[0] > 0 && f.at > at[0] {
			return [2]uint64{at[0], f.at}
		}
		if at[0] == 0 && string(s.text[f.from:f.to]) == name {
			at[0] = s.functions[i].at
		}
	}
	return [2]uint64{}
}

// maxSymbols bounds the answers kept: call sites that reset or drop are some
// dozens.
const maxSymbols = 4096

// name returns the function that begins nearest below an address, the first one of
// those that begin together.
func (s *symbols) name(address uint64) string {
	i, exact := slices.BinarySearchFunc(s.functions, address, func(f symbol, a uint64) int { return cmp.Compare(f.at, a) })
	if !exact {
		if i--; i < 0 || address-s.functions[i].at > maxFunction {
			return ""
		}
		for i > 0 && s.functions[i-1].at == s.functions[i].at {
			i--
		}
	}
	return string(s.text[s.functions[i].from:s.functions[i].to])
}

// once reads the table if it has not been read.
func (s *symbols) once() {
	if !s.read {
		s.loaded, _ = os.ReadFile(s.modules) // none: a kernel without modules
		s.load()
	}
}

// follow reads the table again if modules have come or gone.
func (s *symbols) follow() {
	if now, _ := os.ReadFile(s.modules); !sameModules(now, s.loaded) {
		s.loaded = now
		s.load()
	}
}

// sameModules compares /proc/modules without the counts of users.
func sameModules(a, b []byte) bool {
	next := func(b []byte) (name, address, rest []byte) {
		line, rest, _ := bytes.Cut(b, []byte{'\n'})
		fields := bytes.Fields(line)
		if len(fields) < 6 {
			return line, nil, rest
		}
		return fields[0], fields[5], rest
	}
	for len(a) > 0 && len(b) > 0 {
		var names, addresses [2][]byte
		names[0], addresses[0], a = next(a)
		names[1], addresses[1], b = next(b)
		if !bytes.Equal(names[0], names[1]) || !bytes.Equal(addresses[0], addresses[1]) {
			return false
		}
	}
	return len(a) == len(b)
}

// load reads the table.
func (s *symbols) load() {
	s.read, s.functions, s.text = true, nil, nil
	f, err := os.Open(s.path)
	if err != nil {
		return
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 64<<10)
	for {
		line, err := r.ReadSlice('\n')
		if at, name, ok := parseSymbol(line); ok && at != 0 { // variables of each CPU are at 0
			from := uint32(len(s.text))
			s.text = append(s.text, name...)
			s.functions = append(s.functions, symbol{at, from, uint32(len(s.text))})
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
	}
	s.functions, s.text = slices.Clip(s.functions), slices.Clip(s.text)
	// Those of modules come in the order in which they were loaded.
	slices.SortStableFunc(s.functions, func(a, b symbol) int { return cmp.Compare(a.at, b.at) })
}

// parseSymbol reads "ffffffff81f81c50 T nf_hook_slow [module]"; ok is false for
// what is no function.
func parseSymbol(line []byte) (address uint64, name []byte, ok bool) {
	hex, rest, ok := bytes.Cut(line, []byte{' '})
	if !ok || len(rest) < 3 || (rest[0] != 't' && rest[0] != 'T') {
		return 0, nil, false
	}
	address, err := strconv.ParseUint(string(hex), 16, 64)
	if err != nil {
		return 0, nil, false
	}
	name, _, _ = bytes.Cut(bytes.TrimRight(rest[2:], "\n"), []byte{'\t'})
	name, _, _ = bytes.Cut(name, []byte{'.'}) // clones: tcp_v4_rcv.part.0, .cold
	return address, name, len(name) > 0
}
