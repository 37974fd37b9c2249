// Package sockdiag asks the Linux kernel for the sockets of a network namespace
// (sock_diag(7)). Answers are handed over where they lie: a dump of thousands of sockets
// allocates nothing.
package sockdiag

// Sizes of what an answer holds.
const (
	// MessageSize is sizeof(struct inet_diag_msg), which begins the body of a TCP socket;
	// attributes follow it.
	MessageSize = 72
	headerSize  = 16 // struct nlmsghdr
)

// Message types of NETLINK_SOCK_DIAG (include/uapi/linux/{sock,inet}_diag.h).
const (
	getSocket = 18 // TCPDIAG_GETSOCK with a struct inet_diag_req: any family
	byFamily  = 20 // SOCK_DIAG_BY_FAMILY with the request of that family
)

// listen is the state of a TCP socket that listens (include/net/tcp_states.h).
const listen = 10
