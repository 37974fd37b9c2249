package tracefs

import (
	"bufio"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// format is one tracepoint as this kernel lays it out, from its format file
// (Documentation/trace/events.rst). Offsets and sizes differ between kernels, so
// nothing is taken for granted but the names.
type format struct {
	id     uint16
	fields map[string]field
	print  string // the "print fmt" line
}

type field struct {
	offset, size int
}

var fieldLine = regexp.MustCompile(`^\s*field\s*:\s*(.*?)\s*;\s*offset:(\d+);\s*size:(\d+);`)

// maxRecord bounds offsets and sizes; a tracepoint's record fits into a page.
const maxRecord = 1 << 16

func parseFormat(text string) (format, error) {
	f := format{fields: map[string]field{}}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if id, ok := strings.CutPrefix(line, "ID:"); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(id), 10, 16)
			if err != nil {
				return f, fmt.Errorf("parse event id: %w", err)
			}
			f.id = uint16(n)
			continue
		}
		if p, ok := strings.CutPrefix(line, "print fmt:"); ok {
			f.print = p
			continue
		}
		m := fieldLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		name, fl, err := parseField(m)
		if err != nil {
			return f, err
		}
		f.fields[name] = fl
	}
	if err := lines.Err(); err != nil {
		return f, fmt.Errorf("read event format: %w", err)
	}
	if len(f.fields) == 0 {
		return f, errors.New("parse event format: no fields")
	}
	return f, nil
}

// parseField reads "__u8 saddr[28]" or "const void * skaddr" with its place.
func parseField(m []string) (string, field, error) {
	words := strings.FieldsFunc(m[1], func(r rune) bool { return r == ' ' || r == '\t' || r == '*' })
	if len(words) == 0 {
		return "", field{}, fmt.Errorf("parse field %q: no name", m[1])
	}
	name, _, _ := strings.Cut(words[len(words)-1], "[")
	offset, err1 := strconv.Atoi(m[2])
	size, err2 := strconv.Atoi(m[3])
	if err := errors.Join(err1, err2); err != nil {
		return "", field{}, fmt.Errorf("parse field %q: %w", m[1], err)
	}
	if offset > maxRecord || size > maxRecord {
		return "", field{}, fmt.Errorf("parse field %q: offset %d, size %d", m[1], offset, size)
	}
	return name, field{offset, size}, nil
}

// field returns a field with one of the sizes.
func (f format) field(name string, sizes ...int) (field, error) {
	fl, ok := f.fields[name]
	if !ok {
		return field{}, fmt.Errorf("event has no field %s", name)
	}
	for _, s := range sizes {
		if fl.size == s {
			return fl, nil
		}
	}
	return field{}, fmt.Errorf("field %s has size %d", name, fl.size)
}

var symbol = regexp.MustCompile(`\{\s*([^\s,{}]+)\s*,\s*"([^"]*)"\s*\}`)

// symbols is the table of names that the kernel prints for a field's values.
// Some kernels leave names of enum tcp_states where numbers should stand; these
// are part of the ABI and known here.
func (f format) symbols(name string) map[int64]string {
	_, table, ok := strings.Cut(f.print, "__print_symbolic(REC->"+name+",")
	if !ok {
		return nil
	}
	// The table ends at the parenthesis; names contain none.
	table, _, _ = strings.Cut(table, ")")
	states := tcpStates()
	names := map[int64]string{}
	for _, m := range symbol.FindAllStringSubmatch(table, -1) {
		n, err := strconv.ParseInt(m[1], 0, 64)
		if err != nil {
			v, known := states[m[1]]
			if !known {
				continue
			}
			n = v
		}
		names[n] = m[2]
	}
	return names
}

// tcpStates is enum tcp_states of include/net/tcp_states.h.
func tcpStates() map[string]int64 {
	return map[string]int64{
		"TCP_ESTABLISHED": 1, "TCP_SYN_SENT": 2, "TCP_SYN_RECV": 3, "TCP_FIN_WAIT1": 4,
		"TCP_FIN_WAIT2": 5, "TCP_TIME_WAIT": 6, "TCP_CLOSE": 7, "TCP_CLOSE_WAIT": 8,
		"TCP_LAST_ACK": 9, "TCP_LISTEN": 10, "TCP_CLOSING": 11, "TCP_NEW_SYN_RECV": 12,
		"TCP_BOUND_INACTIVE": 13,
	}
}

// stateNames is tcpStates the other way round.
func stateNames() map[int64]string {
	names := map[int64]string{}
	for name, n := range tcpStates() {
		names[n] = name
	}
	return names
}
