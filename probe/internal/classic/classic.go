// Package classic puts filters together that the kernel runs on packets of a socket: the
// classic kind of bpf, whose jumps go forward.
package classic

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// Program collects instructions whose jumps go forward to labels. The zero value is empty
// and ready to use.
type Program struct {
	code   []bpf.Instruction
	jumps  []pendingJump
	labels map[string]int
}

type pendingJump struct {
	at              int
	onTrue, onFalse string // "" is the next instruction
}

// Add adds an instruction.
func (p *Program) Add(i bpf.Instruction) { p.code = append(p.code, i) }

// Label names the place of the next instruction.
func (p *Program) Label(name string) {
	if p.labels == nil {
		p.labels = map[string]int{}
	}
	p.labels[name] = len(p.code)
}

// Jump adds a test of register A that goes on at a label, which comes later; an empty one
// is the next instruction.
func (p *Program) Jump(test bpf.JumpTest, val uint32, onTrue, onFalse string) {
	p.jumps = append(p.jumps, pendingJump{len(p.code), onTrue, onFalse})
	p.Add(bpf.JumpIf{Cond: test, Val: val})
}

// GoTo adds a jump to a label, which comes later.
func (p *Program) GoTo(name string) {
	p.jumps = append(p.jumps, pendingJump{len(p.code), name, ""})
	p.Add(bpf.Jump{})
}

// Assemble returns the program; an error says that a label is missing or too far away.
func (p *Program) Assemble() ([]bpf.RawInstruction, error) {
	skip := func(from int, name string) (uint32, error) {
		if name == "" {
			return 0, nil
		}
		to, ok := p.labels[name]
		if !ok || to <= from {
			return 0, fmt.Errorf("assemble packet filter: label %s", name)
		}
		return uint32(to - from - 1), nil
	}
	for _, j := range p.jumps {
		yes, err := skip(j.at, j.onTrue)
		if err != nil {
			return nil, err
		}
		no, err := skip(j.at, j.onFalse)
		if err != nil {
			return nil, err
		}
		if _, plain := p.code[j.at].(bpf.Jump); plain {
			p.code[j.at] = bpf.Jump{Skip: yes}
			continue
		}
		if yes > 255 || no > 255 {
			return nil, fmt.Errorf("assemble packet filter: jump of %d", max(yes, no))
		}
		i := p.code[j.at].(bpf.JumpIf)
		i.SkipTrue, i.SkipFalse = uint8(yes), uint8(no)
		p.code[j.at] = i
	}
	raw, err := bpf.Assemble(p.code)
	if err != nil {
		return nil, fmt.Errorf("assemble packet filter: %w", err)
	}
	return raw, nil
}
