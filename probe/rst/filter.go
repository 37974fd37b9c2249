package rst

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// snapLength is how much of each packet is kept: IP and TCP headers with all
// their options, and a little of a RST's data.
const snapLength = 256

// maxFilterPorts bounds the ports in the filter; its jumps reach 255
// instructions.
const maxFilterPorts = 64

// Values of a packet's address (linux/if_packet.h, linux/if_arp.h).
const (
	packetOutgoing = 4
	arpLoopback    = 772
)

// captureFilter is the program that the kernel runs on every packet: it accepts
// RSTs and SYN-ACKs from or to the ports (all without ports), of SYN-ACKs one of
// 2^sampled, by chance. Packets begin at the network header. IPv6 packets with extension headers are all accepted, for
// they are rare and a filter cannot walk them.
func captureFilter(ports []uint16, sampled uint) ([]bpf.RawInstruction, error) {
	if len(ports) > maxFilterPorts {
		ports = nil
	}
	p := program{labels: map[string]int{}}
	// On loopback each packet that goes out comes in again.
	p.add(bpf.LoadExtension{Num: bpf.ExtType})
	p.jump(bpf.JumpEqual, packetOutgoing, "", "wanted")
	p.add(bpf.LoadExtension{Num: bpf.ExtLinkLayerType})
	p.jump(bpf.JumpEqual, arpLoopback, "reject", "")

	p.label("wanted")
	p.add(bpf.LoadExtension{Num: bpf.ExtProto})
	p.jump(bpf.JumpEqual, protoIPv4, "ipv4", "")
	p.jump(bpf.JumpEqual, protoIPv6, "ipv6", "")
	p.jump(bpf.JumpEqual, protoVLAN, "accept", "")
	p.jump(bpf.JumpEqual, protoQinQ, "accept", "reject")

	p.label("ipv6")
	p.add(bpf.LoadAbsolute{Off: 6, Size: 1}) // next header
	p.jump(bpf.JumpEqual, 0, "accept", "")
	p.jump(bpf.JumpEqual, 43, "accept", "")
	p.jump(bpf.JumpEqual, 60, "accept", "")
	p.jump(bpf.JumpEqual, 6, "", "reject")
	p.add(bpf.LoadConstant{Dst: bpf.RegX, Val: 40})
	p.goTo("tcp")

	p.label("ipv4")
	p.add(bpf.LoadAbsolute{Off: 9, Size: 1}) // protocol
	p.jump(bpf.JumpEqual, 6, "", "reject")
	p.add(bpf.LoadAbsolute{Off: 6, Size: 2}) // fragment
	p.jump(bpf.JumpBitsSet, 0x1fff, "reject", "")
	p.add(bpf.LoadMemShift{Off: 0}) // X = header length

	p.label("tcp")
	p.add(bpf.LoadIndirect{Off: 13, Size: 1}) // flags
	p.jump(bpf.JumpBitsSet, flagRST, "ports", "")
	p.add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: flagSYN | flagACK})
	p.jump(bpf.JumpEqual, flagSYN|flagACK, "", "reject")
	if sampled > 0 {
		p.add(bpf.LoadExtension{Num: bpf.ExtRand})
		p.jump(bpf.JumpBitsSet, 1<<sampled-1, "reject", "")
	}

	p.label("ports")
	if len(ports) > 0 {
		for _, off := range []uint32{0, 2} { // source, destination
			p.add(bpf.LoadIndirect{Off: off, Size: 2})
			for _, port := range ports {
				p.jump(bpf.JumpEqual, uint32(port), "accept", "")
			}
		}
		p.goTo("reject")
	}
	p.label("accept")
	p.add(bpf.RetConstant{Val: snapLength})
	p.label("reject")
	p.add(bpf.RetConstant{Val: 0})
	return p.assemble()
}

// program collects instructions whose jumps go forward to labels.
type program struct {
	code   []bpf.Instruction
	jumps  []pendingJump
	labels map[string]int
}

type pendingJump struct {
	at              int
	onTrue, onFalse string // "" is the next instruction
}

func (p *program) add(i bpf.Instruction) { p.code = append(p.code, i) }

func (p *program) label(name string) { p.labels[name] = len(p.code) }

func (p *program) jump(test bpf.JumpTest, val uint32, onTrue, onFalse string) {
	p.jumps = append(p.jumps, pendingJump{len(p.code), onTrue, onFalse})
	p.add(bpf.JumpIf{Cond: test, Val: val})
}

func (p *program) goTo(name string) {
	p.jumps = append(p.jumps, pendingJump{len(p.code), name, ""})
	p.add(bpf.Jump{})
}

func (p *program) assemble() ([]bpf.RawInstruction, error) {
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
