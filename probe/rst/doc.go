// Package rst sees who sent each TCP reset and why. It holds two watchers:
//
//   - [Trace] listens to the kernel's own account: the tracepoints
//     tcp_send_reset (with the reason on Linux 6.10 and later),
//     tcp_receive_reset and tcp_retransmit_skb, of all network namespaces of
//     this machine. It needs Linux and root.
//   - [Capture] takes the RST packets themselves from one network namespace, with
//     the TTL of the SYN-ACKs to compare them with, and keeps them for Wireshark.
//     It needs Linux and CAP_NET_RAW; with CAP_BPF and CAP_NET_ADMIN (Linux 6.6)
//     it costs a request next to nothing.
//
// A reset that came in but that no kernel sent (see [SenderClass.WithTrace]) was
// made by something else: a firewall's REJECT or an injector. [Sender] tells from
// the packet alone what it can.
//
// Both watchers report events from the point of view of the host that the event
// happened on: Local is that host's end. The package does not count resets per
// request and does not decide causes; report/diagnose joins its events to the
// attempts by 4-tuple and time.
package rst
