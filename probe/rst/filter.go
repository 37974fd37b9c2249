package rst

import (
	"golang.org/x/net/bpf"

	"github.com/rampload/rampload/probe/internal/classic"
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
	var p classic.Program
	// On loopback each packet that goes out comes in again.
	p.Add(bpf.LoadExtension{Num: bpf.ExtType})
	p.Jump(bpf.JumpEqual, packetOutgoing, "", "wanted")
	p.Add(bpf.LoadExtension{Num: bpf.ExtLinkLayerType})
	p.Jump(bpf.JumpEqual, arpLoopback, "reject", "")

	p.Label("wanted")
	p.Add(bpf.LoadExtension{Num: bpf.ExtProto})
	p.Jump(bpf.JumpEqual, protoIPv4, "ipv4", "")
	p.Jump(bpf.JumpEqual, protoIPv6, "ipv6", "")
	p.Jump(bpf.JumpEqual, protoVLAN, "accept", "")
	p.Jump(bpf.JumpEqual, protoQinQ, "accept", "reject")

	p.Label("ipv6")
	p.Add(bpf.LoadAbsolute{Off: 6, Size: 1}) // next header
	p.Jump(bpf.JumpEqual, 0, "accept", "")
	p.Jump(bpf.JumpEqual, 43, "accept", "")
	p.Jump(bpf.JumpEqual, 60, "accept", "")
	p.Jump(bpf.JumpEqual, 6, "", "reject")
	p.Add(bpf.LoadConstant{Dst: bpf.RegX, Val: 40})
	p.GoTo("tcp")

	p.Label("ipv4")
	p.Add(bpf.LoadAbsolute{Off: 9, Size: 1}) // protocol
	p.Jump(bpf.JumpEqual, 6, "", "reject")
	p.Add(bpf.LoadAbsolute{Off: 6, Size: 2}) // fragment
	p.Jump(bpf.JumpBitsSet, 0x1fff, "reject", "")
	p.Add(bpf.LoadMemShift{Off: 0}) // X = header length

	p.Label("tcp")
	p.Add(bpf.LoadIndirect{Off: 13, Size: 1}) // flags
	p.Jump(bpf.JumpBitsSet, flagRST, "ports", "")
	p.Add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: flagSYN | flagACK})
	p.Jump(bpf.JumpEqual, flagSYN|flagACK, "", "reject")
	if sampled > 0 {
		p.Add(bpf.LoadExtension{Num: bpf.ExtRand})
		p.Jump(bpf.JumpBitsSet, 1<<sampled-1, "reject", "")
	}

	p.Label("ports")
	if len(ports) > 0 {
		for _, off := range []uint32{0, 2} { // source, destination
			p.Add(bpf.LoadIndirect{Off: off, Size: 2})
			for _, port := range ports {
				p.Jump(bpf.JumpEqual, uint32(port), "accept", "")
			}
		}
		p.GoTo("reject")
	}
	p.Label("accept")
	p.Add(bpf.RetConstant{Val: snapLength})
	p.Label("reject")
	p.Add(bpf.RetConstant{Val: 0})
	return p.Assemble()
}
