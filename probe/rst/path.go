package rst

import "slices"

// pathTo says in words how the kernel came to send a RST, from the functions that
// it was in (the innermost first, nil if unknown), its reason (empty before Linux
// 6.10) and, where it answered a packet, that packet's flags and the state of the
// socket. Empty: not known. The functions are those of net/ipv4/tcp.c,
// tcp_ipv4.c, tcp_timer.c and tcp_minisocks.c.
func pathTo(stack []string, reason, state string, answer bool, flags uint8) string {
	in := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(stack, n) })
	}
	if answer {
		return answerPath(in, reason, state, flags)
	}
	path := abortPath(in, reason)
	if path != "" && in("do_exit", "do_group_exit", "exit_files") {
		path += ", as the process ended"
	}
	return path
}

// abortPath is for a RST that the kernel sent for a socket.
func abortPath(in func(...string) bool, reason string) string {
	switch {
	case in("tcp_keepalive_timer") || reason == "TCP_KEEPALIVE_TIMEOUT":
		return "no answer to keep-alive probes"
	case reason == "TCP_ABORT_ON_MEMORY" || in("tcp_out_of_resources", "tcp_write_timeout"):
		return "too many orphaned sockets, or out of TCP memory"
	case reason == "TCP_ABORT_ON_CLOSE":
		return "closed with unread data"
	case reason == "TCP_ABORT_ON_LINGER":
		return "closed, and not to wait in FIN_WAIT2 (TCP_LINGER2)"
	case in("tcp_diag_destroy", "tcp_abort"):
		return "aborted from outside (ss -K, or a BPF program)"
	case in("tcp_disconnect") && in("__tcp_close", "tcp_close"):
		return "closed with SO_LINGER 0"
	case in("tcp_disconnect"):
		return "disconnected by its process"
	case in("inet_csk_listen_stop"):
		return "the listener closed before it was accepted"
	case reason == "TCP_DISCONNECT_WITH_DATA":
		return "closed with data not sent"
	case in("__tcp_close", "tcp_close"):
		return "closed with unread data"
	}
	return ""
}

// answerPath is for a RST in answer to a packet.
func answerPath(in func(...string) bool, reason, state string, flags uint8) string {
	syn := flags&(flagSYN|flagACK) == flagSYN
	switch {
	case reason == "TCP_TIMEWAIT_SOCKET" || state == "TCP_TIME_WAIT":
		return "a packet for a connection that waits out its end"
	case reason == "INVALID_SYN":
		return "a SYN in the middle of a connection"
	case reason == "TCP_ABORT_ON_DATA":
		return "data came after the process had closed"
	case reason == "TCP_RFC7323_PAWS" || reason == "TCP_TOO_OLD_ACK" || reason == "TCP_OLD_ACK" || reason == "TCP_ACK_UNSENT_DATA" || reason == "TCP_INVALID_ACK_SEQUENCE":
		return "a packet whose numbers do not fit the connection"
	case reason == noSocket || state == "":
		if syn {
			return "a SYN to a port where nobody listens"
		}
		return "a packet of a connection that is not known any more"
	case in("tcp_check_req") || state == "TCP_NEW_SYN_RECV":
		return "the last packet of a handshake was refused"
	case state == "TCP_LISTEN":
		return "a listener was sent a packet of no connection"
	case state == "TCP_FIN_WAIT1" || state == "TCP_FIN_WAIT2" || state == "TCP_CLOSE" || state == "TCP_LAST_ACK" || state == "TCP_CLOSING":
		return "data came after the process had closed"
	}
	return ""
}

// interrupted reports whether the kernel was not working for the process that it
// names: in a soft interrupt, a timer or a thread of its own.
func interrupted(stack []string) bool {
	return slices.ContainsFunc(stack, func(f string) bool {
		switch f {
		case "__do_softirq", "handle_softirqs", "do_softirq", "__irq_exit_rcu", "irq_exit_rcu", "run_timer_softirq",
			"call_timer_fn", "tcp_write_timer", "tcp_keepalive_timer", "kthread", "ret_from_fork", "worker_thread", "process_one_work",
			"net_rx_action", "__napi_poll":
			return true
		}
		return false
	})
}
