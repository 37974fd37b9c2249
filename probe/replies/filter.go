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

// rules is a filter that the kernel runs on every packet. Packets begin at the network header;
// a load beyond the end of one rejects it.
type rules struct{ classic.Program }

func (p *rules) load(off uint32, size int) { p.Add(bpf.LoadIndirect{Off: off, Size: size}) }

func (p *rules) is(val uint32, yes, no string) { p.Jump(bpf.JumpEqual, val, yes, no) }

// Places where a filter keeps what the choice of connections needs.
const (
	addressSum = iota
	oneValue
	headerLength
)

// header rejects all but first fragments of IP, and leaves the transport protocol in A and the
// header's length in X. With sums it keeps the sum of both addresses, and that length.
func (p *rules) header(sums bool) {
	// On loopback each packet that goes out comes in again.
	p.Add(bpf.LoadExtension{Num: bpf.ExtType})
	p.is(packetOutgoing, "", "wanted")
	p.Add(bpf.LoadExtension{Num: bpf.ExtLinkLayerType})
	p.is(arpLoopback, "reject", "")
	p.Label("wanted")
	p.Add(bpf.LoadExtension{Num: bpf.ExtProto})
	p.is(protoIPv4, "ipv4", "")
	p.is(protoIPv6, "", "reject")
	if sums {
		p.sum(8, 40)
	}
	p.Add(bpf.LoadConstant{Dst: bpf.RegX, Val: 40})
	p.Add(bpf.LoadAbsolute{Off: 6, Size: 1}) // next header
	p.GoTo("protocol")
	p.Label("ipv4")
	p.Add(bpf.LoadAbsolute{Off: 6, Size: 2}) // fragment
	p.Jump(bpf.JumpBitsSet, 0x1fff, "reject", "")
	if sums {
		p.sum(12, 20)
	}
	p.Add(bpf.LoadMemShift{Off: 0})          // X = header length
	p.Add(bpf.LoadAbsolute{Off: 9, Size: 1}) // protocol
	p.Label("protocol")
}

// sum keeps the sum of the words between two places.
func (p *rules) sum(from, to uint32) {
	p.Add(bpf.LoadAbsolute{Off: from, Size: 4})
	for off := from + 4; off < to; off += 4 {
		p.Add(bpf.TAX{})
		p.Add(bpf.LoadAbsolute{Off: off, Size: 4})
		p.Add(bpf.ALUOpX{Op: bpf.ALUOpAdd})
	}
	p.Add(bpf.StoreScratch{Src: bpf.RegA, N: addressSum})
}

// payload moves X from the TCP header to what it carries.
func (p *rules) payload() {
	p.load(12, 1) // X += 4 * data offset
	p.Add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf0})
	p.Add(bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 2})
	p.Add(bpf.ALUOpX{Op: bpf.ALUOpAdd})
	p.Add(bpf.TAX{})
}

// end ends a filter.
func (p *rules) end() ([]bpf.RawInstruction, error) {
	p.Label("accept")
	p.Add(bpf.RetConstant{Val: snapLength})
	p.Label("reject")
	p.Add(bpf.RetConstant{Val: 0})
	return p.Assemble()
}

// filterLookups passes what is asked of name servers, and what they answer: that an answer is
// missing shows only beside its question.
func filterLookups() ([]bpf.RawInstruction, error) {
	var p rules
	p.header(false)
	p.is(17, "", "reject")
	p.load(0, 2) // source port
	p.is(53, "accept", "")
	p.load(2, 2)
	p.is(53, "accept", "reject")
	return p.end()
}

// filterStreams passes what begins as a frame of HTTP/2, of one of 2^level connections: those
// of which [chosen] is true.
func filterStreams(level uint) ([]bpf.RawInstruction, error) {
	var p rules
	p.header(level > 0)
	p.is(6, "", "reject")
	if level > 0 {
		p.choose(level)
	}
	p.payload()
	p.load(0, 4)
	p.is(0x50524920, "accept", "") // "PRI ": a connection begins
	p.Jump(bpf.JumpGreaterThan, frameLongest<<8|frameLast, "reject", "")
	p.Add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xff})
	p.Jump(bpf.JumpGreaterThan, frameLast, "reject", "")
	p.load(4, 1)
	p.Jump(bpf.JumpBitsSet, flagsOfNone, "reject", "")
	p.load(5, 4) // stream
	p.Jump(bpf.JumpBitsSet, 1<<31, "reject", "accept")
	return p.end()
}

// choose rejects what is not of a chosen connection: it does what [mix] does.
func (p *rules) choose(level uint) {
	p.Add(bpf.TXA{})
	p.Add(bpf.StoreScratch{Src: bpf.RegA, N: headerLength})
	p.load(0, 2)
	p.Add(bpf.StoreScratch{Src: bpf.RegA, N: oneValue})
	p.load(2, 2)
	p.Add(bpf.LoadScratch{Dst: bpf.RegX, N: oneValue})
	p.Add(bpf.ALUOpX{Op: bpf.ALUOpAdd})
	p.Add(bpf.TAX{})
	p.Add(bpf.LoadScratch{Dst: bpf.RegA, N: addressSum})
	p.Add(bpf.ALUOpConstant{Op: bpf.ALUOpMul, Val: mixAddresses})
	p.Add(bpf.ALUOpX{Op: bpf.ALUOpAdd})
	fold := func(bits uint32) {
		p.Add(bpf.TAX{})
		p.Add(bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: bits})
		p.Add(bpf.ALUOpX{Op: bpf.ALUOpXor})
	}
	fold(16)
	p.Add(bpf.ALUOpConstant{Op: bpf.ALUOpMul, Val: mixFirst})
	fold(13)
	p.Add(bpf.ALUOpConstant{Op: bpf.ALUOpMul, Val: mixSecond})
	fold(16)
	p.Jump(bpf.JumpBitsSet, ^uint32(0)<<(32-level), "reject", "")
	p.Add(bpf.LoadScratch{Dst: bpf.RegX, N: headerLength})
}

// filterReplies passes what begins as an error reply of a protocol known here, and one of some
// of other answers of HTTP, and of those of stores that have nothing under a key.
func filterReplies() ([]bpf.RawInstruction, error) {
	var p rules
	p.header(false)
	p.is(6, "", "reject")
	p.payload()
	p.load(0, 4)
	p.is(0x48545450, "http", "")
	p.is(0x53455256, "accept", "") // SERV
	p.is(0x434c4945, "accept", "") // CLIE
	p.is(0x4552524f, "accept", "") // ERRO
	p.is(0x242d310d, "well", "")   // "$-1": a Redis has no such key
	p.is(0x454e440d, "well", "")   // "END" and nothing before it: a memcached neither
	p.Add(bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 16})
	p.is('1'<<8, "parsed", "") // PostgreSQL's messages have lengths of two bytes at most
	p.is('2'<<8, "bound", "")
	p.is('E'<<8, "accept", "")
	p.is('R'<<8, "authenticated", "")
	p.is(0x0107, "accept", "") // FastCGI
	p.is(0x1503, "alert", "")  // TLS
	p.is(0x0100, "amqp", "")
	p.Add(bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 8})
	p.is('-', "redis", "")
	p.load(4, 1)
	p.is(0xff, "accept", "reject") // MySQL

	p.Label("http")
	p.load(8, 2) // " 4", " 5"
	p.is(0x2034, "accept", "")
	p.is(0x2035, "accept", "")
	p.is(0x2032, "", "third") // " 2"
	p.GoTo("well")
	p.Label("third")
	p.is(0x2033, "well", "reject")
	p.Label("well") // one of some
	p.Add(bpf.LoadExtension{Num: bpf.ExtRand})
	p.Jump(bpf.JumpBitsSet, sampled-1, "reject", "accept")
	p.Label("redis")
	p.load(1, 1)
	p.Jump(bpf.JumpGreaterOrEqual, 'A', "", "reject")
	p.Jump(bpf.JumpGreaterThan, 'Z', "reject", "accept")
	p.Label("parsed")
	p.load(5, 1)
	p.is('E', "accept", "")
	p.is('2', "", "reject")
	p.load(10, 1)
	p.is('E', "accept", "reject")
	p.Label("bound")
	p.load(5, 1)
	p.is('E', "accept", "reject")
	p.Label("authenticated") // nobody is turned away before that, and what follows is in the same packet
	p.load(1, 4)
	p.Add(bpf.ALUOpX{Op: bpf.ALUOpAdd})
	p.Add(bpf.TAX{})
	p.load(1, 1)
	p.is('E', "accept", "")
	p.is('R', "", "reject") // behind the last message of SASL
	p.load(10, 1)
	p.is('E', "accept", "reject")
	p.Label("alert")
	p.load(3, 2) // encrypted ones are longer
	p.is(2, "", "reject")
	p.load(5, 1)
	p.is(2, "accept", "reject") // fatal
	p.Label("amqp")
	p.load(7, 4)
	p.is(10<<16|50, "accept", "")
	p.is(10<<16|60, "accept", "")
	p.is(20<<16|40, "accept", "reject")
	return p.end()
}
