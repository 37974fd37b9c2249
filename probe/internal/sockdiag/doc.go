// Package sockdiag asks the Linux kernel for the sockets of a network namespace
// (sock_diag(7)). Answers are handed over where they lie: a dump of thousands of sockets
// allocates nothing.
package sockdiag

// Sizes of what an answer holds.
const (
	messageSize = 72 // struct inet_diag_msg
	headerSize  = 16 // struct nlmsghdr
)

// Message types of NETLINK_SOCK_DIAG (include/uapi/linux/{sock,inet}_diag.h).
const (
	getSocket = 18 // TCPDIAG_GETSOCK with a struct inet_diag_req: any family
	byFamily  = 20 // SOCK_DIAG_BY_FAMILY with the request of that family
)

// States of a TCP socket (include/net/tcp_states.h). A Unix socket that listens has the same.
const (
	Established = 1
	SynSent     = 2
	SynRecv     = 3
	TimeWait    = 6
	Close       = 7
	CloseWait   = 8
	Listen      = 10
	NewSynRecv  = 12
)
