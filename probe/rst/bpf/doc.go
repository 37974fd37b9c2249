// Package bpf lets the kernel itself tell who sent each TCP reset, which packets
// it dropped and why, and how long packets waited for a process. Its programs run
// in the kernel, filter there by port and network namespace, and count there what
// is frequent; only single resets are streamed.
//
// It needs Linux 5.10 with BTF (/sys/kernel/btf/vmlinux), CAP_BPF and CAP_PERFMON.
// What an older kernel lacks, or one without a module, is [Programs.Missing]; the
// rest is measured. Nothing is pinned: the programs end with the process.
//
// It knows neither hosts nor runs. Package rst makes events of what it reads.
package bpf

import "net/netip"

// Options say what the programs look at.
type Options struct {
	// Ports keeps what has one of these ports at either end, the servers'; empty
	// keeps everything, and then no reads are timed.
	Ports []uint16
	// Namespaces are the inodes of the network namespaces to look at; empty: all.
	Namespaces []uint32
	// PerSecond bounds the resets of a kind that are told one by one; those beyond are
	// counted. 0: 5,000. After a second with more than four times as many it is an
	// eighth.
	PerSecond int
	// WithoutDelays leaves the timing of accepts and reads off.
	WithoutDelays bool
}

// Kind says what a [Reset] is.
type Kind uint8

// The kinds.
const (
	Sent     Kind = iota // this kernel sent a RST for a socket, or in answer to a packet
	Received             // a socket of this kernel took a RST
	Rejected             // a REJECT rule of netfilter sent a RST
)

// Process is who a socket belongs to, or who called into the kernel.
type Process struct {
	PID, TID int32 // in the reader's own pid namespace; 0: none, or not visible from it
	Comm     string
}

// Reset is one RST, or Count of them of which only the common part is known.
type Reset struct {
	Kind          Kind
	At            uint64 // nanoseconds of CLOCK_MONOTONIC; 0 if Count says how many
	Count         uint64
	Local, Remote netip.AddrPort
	Socket        uint64 // the kernel's address of it, as an identity; 0: no socket
	State         string // of the socket, "TCP_ESTABLISHED"; empty without
	Reason        string // the kernel's, "NO_SOCKET"; empty before Linux 6.10
	Answer        bool   // answers a packet, whose flags are TCPFlags
	TCPFlags      uint8
	Netns         uint32 // inode of the network namespace
	Cookie        uint64 // of the network namespace, unique since boot; 0 before Linux 5.14
	Cgroup        uint64 // id of the socket's control group in the version 2 tree; 0 unknown
	Current       Process
	Owner         Process  // who accepted or connected the socket; zero if that was before Open
	Stack         []string // kernel functions, the innermost first; nil if their names may not be read
	Verdict                // of a Rejected: where
}

// Verdict is the place in netfilter that decided.
type Verdict struct {
	Hook  string // "FORWARD"; empty if it was not netfilter
	Table string // "filter"
	Chain string // the base chain; empty for iptables' older kind, whose chains are its hooks
}

// Retransmits are those of one connection since the last reading.
type Retransmits struct {
	Local, Remote netip.AddrPort
	State         string // of the socket
	Netns         uint32
	Count         uint64
	First         uint64 // nanoseconds of CLOCK_MONOTONIC
}

// Packet is what kind of packet was dropped.
type Packet string

// The kinds of packet.
const (
	PacketSYN    Packet = "SYN"
	PacketSYNACK Packet = "SYN-ACK"
	PacketRST    Packet = "RST"
	PacketFIN    Packet = "FIN"
	PacketTooBig Packet = "packet-too-big" // ICMP: fragmentation needed, or IPv6's packet too big
	PacketOther  Packet = "segment"
)

// Reasons of drops that the kernel has no name of its own for.
const (
	AcceptQueueFull = "ACCEPT_QUEUE_FULL"
	SynQueueFull    = "SYN_QUEUE_FULL"
	ConntrackFull   = "CONNTRACK_FULL"
	ConntrackInsert = "CONNTRACK_INSERT_FAILED"
	NetfilterDrop   = "NETFILTER_DROP"
	NetfilterReject = "NETFILTER_REJECT" // dropped, and answered with an ICMP error
	NotSpecified    = "NOT_SPECIFIED"
)

// Drop counts packets that were dropped alike since the last reading. Source and
// Dest are those of the latest; where a message that a packet is too big was dropped,
// they are that packet's.
type Drop struct {
	Reason       string // the kernel's ("IP_RPFILTER"), or one of the constants
	Where        string // kernel function; empty if names may not be read
	Packet       Packet
	Port         uint16 // the server's: a watched one, else the end that a connection is opened to
	Netns        uint32
	Interface    string // that the packet came from or was going to; empty unknown
	Source, Dest netip.AddrPort
	Count        uint64
	First, Last  uint64 // nanoseconds of CLOCK_MONOTONIC; First: since the last reading
	Verdict
}

// WaitKind says what a [Delay] is the length of.
type WaitKind string

// The kinds of waiting.
const (
	WaitAccept WaitKind = "accept" // from the latest packet of a connection to its accept
	WaitRead   WaitKind = "read"   // from the latest packet of a connection to the read of what it brought
)

// Delay tells how long packets waited for the process that serves a port, since
// the last reading: Buckets[i] counts waits below 2^i microseconds that are in no
// bucket before. Every accept is timed. Of reads beyond 1,024 of a second and processor
// one of 16 is, and counts for 16: a sample, which a count of them in all is too.
type Delay struct {
	Kind    WaitKind
	Port    uint16
	Netns   uint32
	Buckets [32]uint64
}
