package bpf

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inNetns runs a test on a thread in a network namespace of its own whose loopback
// is up; what it starts is in that namespace too.
func inNetns(t *testing.T, test func(t *testing.T, netns uint32)) {
	t.Helper()
	if os.Geteuid() != 0 {
		skip(t, "needs root")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread, and with it the namespace, ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Errorf("make network namespace: %v", err)
			return
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(fd)
		lo, _ := unix.NewIfreq("lo")
		lo.SetUint16(unix.IFF_UP)
		if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
			t.Errorf("bring loopback up: %v", err)
			return
		}
		var st unix.Stat_t
		if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
			t.Error(err)
			return
		}
		test(t, uint32(st.Ino))
	}()
	<-done
}

// listen opens a listener on this thread; Go would use others.
func listen(t *testing.T, backlog int) (fd int, port uint16) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, uint16(name.(*unix.SockaddrInet4).Port)
}

// dial connects and waits at most the time given for the outcome.
func dial(t *testing.T, port uint16, limit time.Duration) (fd int, err error) {
	t.Helper()
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		t.Fatal(err)
	}
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}})
	if err == unix.EINPROGRESS {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		n, perr := unix.Poll(fds, int(limit.Milliseconds()))
		if n == 0 || perr != nil {
			return fd, os.ErrDeadlineExceeded
		}
		if e, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); e != 0 {
			return fd, unix.Errno(e)
		}
		err = nil
	}
	return fd, err
}

// The kernel's account of what netfilter dropped and rejected is that of the
// rules' own counters.
func TestNetfilterAsItsCounters(t *testing.T) {
	if _, err := exec.LookPath("nft"); err != nil {
		skip(t, "needs nft")
	}
	inNetns(t, func(t *testing.T, netns uint32) {
		l1, silent := listen(t, 10)
		defer unix.Close(l1)
		l2, rude := listen(t, 10)
		defer unix.Close(l2)
		// Another reader of the same tracepoint lies between it and the program.
		open(t, Options{Ports: []uint16{1}, Namespaces: []uint32{netns}})
		p := open(t, Options{Ports: []uint16{silent, rude}, Namespaces: []uint32{netns}})
		rules := fmt.Sprintf(`table inet guard { chain inbound { type filter hook input priority 0;
			tcp dport %d counter drop; tcp dport %d counter reject with tcp reset; }; }`, silent, rude)
		load := exec.Command("nft", "-f", "-")
		load.Stdin = strings.NewReader(rules)
		if out, err := load.CombinedOutput(); err != nil {
			t.Errorf("load rules: %v\n%s", err, out)
			return
		}
		for range 3 {
			if fd, err := dial(t, silent, 150*time.Millisecond); err == nil {
				t.Error("connected through a rule that drops")
			} else {
				unix.Close(fd)
			}
			fd, err := dial(t, rude, time.Second)
			if err != unix.ECONNREFUSED {
				t.Errorf("connected through a rule that rejects: %v", err)
			}
			unix.Close(fd)
		}
		list, err := exec.Command("nft", "list", "ruleset").Output()
		if err != nil {
			t.Error(err)
		}
		counted := func(port uint16) (n int) {
			m := regexp.MustCompile(`tcp dport ` + strconv.Itoa(int(port)) + ` counter packets (\d+)`).FindSubmatch(list)
			if m == nil {
				t.Errorf("no counter of port %d in\n%s", port, list)
				return -1
			}
			n, _ = strconv.Atoi(string(m[1]))
			return n
		}
		dropped := 0
		if err := p.Drops(func(d Drop) {
			if d.Netns != netns || d.Port != silent {
				return
			}
			dropped += int(d.Count)
			if d.Reason != NetfilterDrop || d.Packet != PacketSYN || d.Dest != netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), silent) || d.Interface != "lo" {
				t.Errorf("dropped: %+v", d)
			}
			if p.symbols.readable() && d.Hook != "INPUT" {
				t.Errorf("hook %q: %+v", d.Hook, d)
			}
			if p.Attached()["on_nft_verdict"] && (d.Table != "guard" || d.Chain != "inbound") {
				t.Errorf("table %q, chain %q", d.Table, d.Chain)
			}
		}); err != nil {
			t.Error(err)
		}
		if dropped != counted(silent) || dropped < 3 {
			t.Errorf("%d drops, the rule counted %d", dropped, counted(silent))
		}
		rejected := 0
		if err := p.Read(func(r Reset) {
			if r.Kind != Rejected || r.Netns != netns {
				return
			}
			rejected++
			if r.Local.Port() != rude || r.Remote.Port() == 0 || r.Hook != "INPUT" || r.Table != "guard" || r.Chain != "inbound" {
				t.Errorf("rejected: %+v", r)
			}
		}); err != nil {
			t.Error(err)
		}
		if p.Attached()["on_reject_v4"] && rejected != counted(rude) {
			t.Errorf("%d rejected, the rule counted %d", rejected, counted(rude))
		}
		// Two readings hand nothing over twice.
		if err := p.Drops(func(d Drop) {
			if d.Netns == netns && d.Packet == PacketSYN && d.Port == silent && d.Count > 3 {
				t.Errorf("again: %+v", d)
			}
		}); err != nil {
			t.Error(err)
		}
	})
}

// What a full accept queue drops is what the kernel counts as overflows.
func TestAcceptQueue(t *testing.T) {
	inNetns(t, func(t *testing.T, netns uint32) {
		l, port := listen(t, 1)
		defer unix.Close(l)
		p := open(t, Options{Ports: []uint16{port}, Namespaces: []uint32{netns}})
		for range 6 {
			fd, _ := dial(t, port, 100*time.Millisecond)
			defer unix.Close(fd)
		}
		seen := 0
		if err := p.Drops(func(d Drop) {
			if d.Netns == netns && (d.Reason == AcceptQueueFull || d.Reason == "TCP_LISTEN_OVERFLOW") {
				seen += int(d.Count)
				if d.Port != port || d.Dest.Port() != port || d.Source.Port() == 0 {
					t.Errorf("%+v", d)
				}
			}
		}); err != nil {
			t.Error(err)
		}
		overflows := netstat(t, "ListenOverflows")
		if overflows == 0 {
			t.Error("the queue did not overflow")
		}
		if p.Attached()["on_syn"] && seen != overflows {
			t.Errorf("%d dropped, %d overflows", seen, overflows)
		}
		t.Logf("%d dropped, %d overflows", seen, overflows)
	})
}

func netstat(t *testing.T, name string) int {
	t.Helper()
	b, err := os.ReadFile("/proc/thread-self/net/netstat")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		for k, n := range names {
			if n == name {
				v, _ := strconv.Atoi(values[k])
				return v
			}
		}
	}
	t.Fatalf("no counter %s", name)
	return 0
}

// A process that accepts and reads late is told by the time that packets waited,
// and owns its sockets also where the kernel answers by itself.
func TestWaitsAndOwners(t *testing.T) {
	inNetns(t, func(t *testing.T, netns uint32) {
		l, port := listen(t, 10)
		defer unix.Close(l)
		p := open(t, Options{Ports: []uint16{port}, Namespaces: []uint32{netns}})
		c, err := dial(t, port, time.Second)
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(c)
		late := func() { // 50 ms
			_, _ = unix.Poll(nil, 50)
		}
		late()
		s, _, err := unix.Accept(l)
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = unix.Write(c, []byte("x"))
		late()
		_, _ = unix.Read(s, make([]byte, 10))
		_, _ = unix.Write(c, []byte("unread"))
		unix.Close(s)
		_, _ = unix.Write(c, []byte("y"))
		waits := map[WaitKind]int{}
		if err := p.Delays(func(d Delay) {
			for i, n := range d.Buckets {
				if n > 0 && d.Port == port {
					waits[d.Kind] = max(waits[d.Kind], i)
				}
			}
		}); err != nil {
			t.Error(err)
		}
		// 50 ms are in the bucket of 2^16 us, or on a busy machine in a later one.
		if p.Attached()["on_read"] && (waits[WaitAccept] < 16 || waits[WaitRead] < 16) {
			t.Errorf("waits %v", waits)
		}
		n := 0
		if err := p.Read(func(r Reset) {
			if r.Kind != Sent || r.Local.Port() != port {
				return
			}
			n++
			if r.Netns != netns || r.Current.PID != int32(os.Getpid()) {
				t.Errorf("sent by %+v in namespace %d", r.Current, r.Netns)
			}
			if p.Attached()["on_accept"] && p.kernel.storage && r.Owner.PID != int32(os.Getpid()) {
				t.Errorf("owner %+v", r.Owner)
			}
		}); err != nil {
			t.Error(err)
		}
		if n != 1 {
			t.Errorf("%d resets sent, want 1", n)
		}
		t.Logf("waits %v", waits)
	})
}
