package replies

import (
	"golang.org/x/net/bpf"

	"github.com/rampload/rampload/probe/internal/classic"
)

// Values of a packet's address (linux/if_packet.h, linux/if_arp.h) and of its protocol.
const (
	packetOutgoing = 4
	arpLoopback    = 772
	protoIPv4      = 0x0800
	protoIPv6      = 0x86DD
)

// sampled is of how many answers that are no errors one is counted: a power of two. So it is
// for those that say that nothing is there.
const sampled = 32

// snapLength is how much of a packet is taken: its headers, and the beginning of a reply.
const snapLength = 1200

// filter is the program that the kernel runs on every packet: it takes those whose data
// begins as an error reply of a protocol known here, look-ups of names with their answers
// (that one is missing shows only beside its question), of other answers of HTTP, and of those
// of stores that have nothing under a key, one of some, and, if wanted, what begins as a frame
// of HTTP/2. Packets begin at the network header.
func filter(multiplexed bool) ([]bpf.RawInstruction, error) {
	var p classic.Program
	load := func(off uint32, size int) { p.Add(bpf.LoadIndirect{Off: off, Size: size}) }
	is := func(val uint32, yes, no string) { p.Jump(bpf.JumpEqual, val, yes, no) }
	// On loopback each packet that goes out comes in again.
	p.Add(bpf.LoadExtension{Num: bpf.ExtType})
	is(packetOutgoing, "", "wanted")
	p.Add(bpf.LoadExtension{Num: bpf.ExtLinkLayerType})
	is(arpLoopback, "reject", "")

	p.Label("wanted")
	p.Add(bpf.LoadExtension{Num: bpf.ExtProto})
	is(protoIPv4, "ipv4", "")
	is(protoIPv6, "", "reject")
	p.Add(bpf.LoadConstant{Dst: bpf.RegX, Val: 40})
	p.Add(bpf.LoadAbsolute{Off: 6, Size: 1}) // next header
	p.GoTo("protocol")
	p.Label("ipv4")
	p.Add(bpf.LoadAbsolute{Off: 6, Size: 2}) // fragment
	p.Jump(bpf.JumpBitsSet, 0x1fff, "reject", "")
	p.Add(bpf.LoadMemShift{Off: 0})          // X = header length
	p.Add(bpf.LoadAbsolute{Off: 9, Size: 1}) // protocol
	p.Label("protocol")
	is(6, "tcp", "")
	is(17, "", "reject")
	load(0, 2) // source port
	is(53, "accept", "")
	load(2, 2)
	is(53, "accept", "reject")

	p.Label("tcp")
	load(12, 1) // X += 4 * data offset
	p.Add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf0})
	p.Add(bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 2})
	p.Add(bpf.ALUOpX{Op: bpf.ALUOpAdd})
	p.Add(bpf.TAX{})
	load(0, 4) // a load beyond the packet's end rejects it
	is(0x48545450, "http", "")
	if multiplexed {
		is(0x50524920, "accept", "") // "PRI ": a connection of HTTP/2 begins
		p.Jump(bpf.JumpGreaterThan, frameLongest<<8|frameLast, "text", "")
		p.Add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xff})
		p.Jump(bpf.JumpGreaterThan, frameLast, "again", "")
		load(4, 1) // flags
		p.Jump(bpf.JumpBitsSet, 0xd2, "again", "")
		load(5, 4) // stream
		p.Jump(bpf.JumpBitsSet, 1<<31, "again", "accept")
		p.Label("again")
		load(0, 4)
	}
	p.Label("text")
	is(0x53455256, "accept", "") // SERV
	is(0x434c4945, "accept", "") // CLIE
	is(0x4552524f, "accept", "") // ERRO
	is(0x242d310d, "well", "")   // "$-1": a Redis has no such key
	is(0x454e440d, "well", "")   // "END" and nothing before it: a memcached neither
	p.Add(bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 16})
	is('1'<<8, "parsed", "") // PostgreSQL's messages have lengths of two bytes at most
	is('2'<<8, "bound", "")
	is('E'<<8, "accept", "")
	is('R'<<8, "authenticated", "")
	is(0x0107, "accept", "") // FastCGI
	is(0x1503, "alert", "")  // TLS
	is(0x0100, "amqp", "")
	p.Add(bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 8})
	is('-', "redis", "")
	load(4, 1)
	is(0xff, "accept", "reject") // MySQL

	p.Label("http")
	load(8, 2) // " 4", " 5"
	is(0x2034, "accept", "")
	is(0x2035, "accept", "")
	is(0x2032, "", "third") // " 2"
	p.GoTo("well")
	p.Label("third")
	is(0x2033, "well", "reject")
	p.Label("well") // one of some
	p.Add(bpf.LoadExtension{Num: bpf.ExtRand})
	p.Jump(bpf.JumpBitsSet, sampled-1, "reject", "accept")
	p.Label("redis")
	load(1, 1)
	p.Jump(bpf.JumpGreaterOrEqual, 'A', "", "reject")
	p.Jump(bpf.JumpGreaterThan, 'Z', "reject", "accept")
	p.Label("parsed")
	load(5, 1)
	is('E', "accept", "")
	is('2', "", "reject")
	load(10, 1)
	is('E', "accept", "reject")
	p.Label("bound")
	load(5, 1)
	is('E', "accept", "reject")
	p.Label("authenticated") // nobody is turned away before that, and what follows is in the same packet
	load(1, 4)
	p.Add(bpf.ALUOpX{Op: bpf.ALUOpAdd})
	p.Add(bpf.TAX{})
	load(1, 1)
	is('E', "accept", "")
	is('R', "", "reject") // behind the last message of SASL
	load(10, 1)
	is('E', "accept", "reject")
	p.Label("alert")
	load(3, 2) // encrypted ones are longer
	is(2, "", "reject")
	load(5, 1)
	is(2, "accept", "reject") // fatal
	p.Label("amqp")
	load(7, 4)
	is(10<<16|50, "accept", "")
	is(10<<16|60, "accept", "")
	is(20<<16|40, "accept", "reject")

	p.Label("accept")
	p.Add(bpf.RetConstant{Val: snapLength})
	p.Label("reject")
	p.Add(bpf.RetConstant{Val: 0})
	return p.Assemble()
}
