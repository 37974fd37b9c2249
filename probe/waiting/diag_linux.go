package waiting

import (
	"encoding/binary"
	"time"

	"github.com/rampload/rampload/probe/internal/sockdiag"
)

// dumpStates are the states that a dump asks for. The kernel has listeners in a table of their own.
const dumpStates = 1<<established | 1<<synSent | 1<<closeWait | 1<<listen

// infoWanted asks for INET_DIAG_INFO, a struct tcp_info.
const infoWanted = 1 << (infoAttr - 1)

// Attributes behind a struct inet_diag_msg.
const (
	attrHeader = 4
	infoAttr   = 2 // INET_DIAG_INFO
)

// parseConn reads a struct inet_diag_msg with its attributes; false for other bytes.
func parseConn(b []byte) (conn, bool) {
	x, b, ok := sockdiag.Parse(b)
	if !ok {
		return conn{}, false
	}
	c := conn{state: x.State, local: x.Local, remote: x.Remote, queued: x.Queued, uid: x.UID, inode: x.Inode}
	for len(b) >= attrHeader {
		n, kind := int(binary.NativeEndian.Uint16(b)), binary.NativeEndian.Uint16(b[2:])
		if n < attrHeader || n > len(b) {
			return conn{}, false
		}
		if kind == infoAttr {
			c.info, c.hasInfo = parseInfo(b[attrHeader:n])
		}
		b = b[min(len(b), (n+3)&^3):]
	}
	return c, true
}

// parseInfo reads a struct tcp_info (include/uapi/linux/tcp.h); false from a kernel that
// counts no segments of data in it (before 4.6).
func parseInfo(b []byte) (tcpInfo, bool) {
	if len(b) < 160 {
		return tcpInfo{}, false
	}
	ms := func(at int) time.Duration {
		return time.Duration(binary.NativeEndian.Uint32(b[at:])) * time.Millisecond
	}
	return tcpInfo{
		retransmits: b[2], unacked: binary.NativeEndian.Uint32(b[24:]),
		sent: ms(44), received: ms(52), acknowledged: ms(56),
		rtt:     time.Duration(binary.NativeEndian.Uint32(b[68:])) * time.Microsecond,
		bytesIn: binary.NativeEndian.Uint64(b[128:]),
		in:      binary.NativeEndian.Uint32(b[152:]), out: binary.NativeEndian.Uint32(b[156:]),
	}, true
}
