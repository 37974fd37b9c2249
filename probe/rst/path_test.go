package rst

import "testing"

func TestPathTo(t *testing.T) {
	for _, c := range []struct {
		stack         []string
		reason, state string
		answer        bool
		flags         uint8
		want          string
	}{
		// Without reasons, as before Linux 6.10, the functions tell.
		{[]string{"tcp_send_active_reset", "tcp_disconnect", "__tcp_close", "tcp_close", "inet_release"}, "", "TCP_CLOSE", false, 0, "closed with SO_LINGER 0"},
		{[]string{"tcp_send_active_reset", "__tcp_close", "tcp_close", "inet_release"}, "", "TCP_CLOSE", false, 0, "closed with unread data"},
		{[]string{"tcp_send_active_reset", "__tcp_close", "inet_release", "__fput", "task_work_run", "do_exit"}, "", "TCP_CLOSE", false, 0, "closed with unread data, as the process ended"},
		{[]string{"tcp_send_active_reset", "tcp_disconnect", "inet_child_forget", "inet_csk_listen_stop", "__tcp_close"}, "", "", false, 0, "closed with SO_LINGER 0"},
		{[]string{"tcp_send_active_reset", "tcp_keepalive_timer", "call_timer_fn"}, "", "TCP_ESTABLISHED", false, 0, "no answer to keep-alive probes"},
		{[]string{"tcp_send_active_reset", "tcp_abort", "tcp_diag_destroy"}, "", "TCP_ESTABLISHED", false, 0, "aborted from outside (ss -K, or a BPF program)"},
		// Without functions, as without CAP_SYSLOG, the reason does.
		{nil, "TCP_ABORT_ON_CLOSE", "TCP_CLOSE", false, 0, "closed with unread data"},
		{nil, "TCP_ABORT_ON_MEMORY", "TCP_FIN_WAIT1", false, 0, "too many orphaned sockets, or out of TCP memory"},
		{nil, "TCP_STATE", "TCP_CLOSE", false, 0, ""},
		{nil, "NO_SOCKET", "", true, flagSYN, "a SYN to a port where nobody listens"},
		{nil, "", "", true, flagACK, "a packet of a connection that is not known any more"},
		{nil, "TCP_TIMEWAIT_SOCKET", "TCP_TIME_WAIT", true, flagACK, "a packet for a connection that waits out its end"},
		{nil, "INVALID_SYN", "TCP_ESTABLISHED", true, flagSYN, "a SYN in the middle of a connection"},
		{[]string{"tcp_v4_send_reset", "tcp_v4_do_rcv"}, "", "TCP_FIN_WAIT2", true, flagACK, "data came after the process had closed"},
		{[]string{"tcp_v4_send_reset", "tcp_v4_do_rcv"}, "", "TCP_LISTEN", true, flagACK, "a listener was sent a packet of no connection"},
		{[]string{"tcp_v4_send_reset", "tcp_check_req", "tcp_v4_rcv"}, "", "TCP_LISTEN", true, flagACK, "the last packet of a handshake was refused"},
		{nil, "", "TCP_ESTABLISHED", false, 0, ""},
	} {
		if got := pathTo(c.stack, c.reason, c.state, c.answer, c.flags); got != c.want {
			t.Errorf("%v %s %s answer %v: %q, want %q", c.stack, c.reason, c.state, c.answer, got, c.want)
		}
	}
}

func TestInterrupted(t *testing.T) {
	if interrupted([]string{"tcp_send_active_reset", "__tcp_close", "__x64_sys_close"}) {
		t.Error("a close is of its process")
	}
	for _, f := range []string{"tcp_write_timer", "__do_softirq", "kthread"} {
		if !interrupted([]string{"tcp_send_active_reset", f}) {
			t.Errorf("%s is of no process", f)
		}
	}
}
