package wire

import (
	"net/netip"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/socket"
	"github.com/rampload/rampload/profiles"
)

// What a connection takes decides how many can be held: a hundred thousand in 130 MB.
func TestSizeOfConnection(t *testing.T) {
	if size := unsafe.Sizeof(Conn{}); size > 416 {
		t.Errorf("a Conn has %d bytes with its Socket, more than 416", size)
	}
	if size := unsafe.Sizeof(socket.Socket{}); size > 160 {
		t.Errorf("a Socket has %d bytes, more than 160", size)
	}
}

// A held connection that has served a request takes at most 1,300 bytes of this
// process: on the heap, with what the runtime keeps for ever of the goroutines that
// opened it, and in the poller, which has it outside the heap.
func TestBytesOfHeldConnection(t *testing.T) {
	const n, pollDesc, most = 2000, 320, 1300
	if socket.Descriptors() < 2*n+100 {
		t.Skipf("needs %d file descriptors", 2*n+100)
	}
	addr, served := rawServer(t, n)
	client, err := New(Config{
		Profile: profiles.Target{Name: "raw", URL: "http://" + addr.String()},
		Client:  profiles.Client{Connections: n, Timeout: 30 * time.Second}, Exchange: Speak,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	request, err := client.Compile(profiles.Request{Method: "GET", Path: "/"})
	if err != nil {
		t.Fatal(err)
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC() // pools keep what was used last for one more
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc + m.StackInuse)
	}
	before := heap()
	client.Hold(n)
	eventually(t, "not all are held", func() bool { return client.Stats().Idle == n })
	var a attack.Attempt
	for i := range n {
		if client.Do(request, &a); a.Fault != attack.None || a.Conn.Served != 0 {
			t.Fatalf("request %d: %v, the %d-th of its connection", i, a.Fault, a.Conn.Served)
		}
	}
	if got := (heap()-before)/n + pollDesc; got > most {
		t.Errorf("a held connection takes %d bytes, more than %d", got, most)
	} else {
		t.Logf("a held connection takes %d bytes", got)
	}
	client.Close()
	<-served
}

// rawServer answers n connections, one request each, without anything on the heap for
// them, and closes them once their peers have; then it closes served.
func rawServer(t *testing.T, n int) (addr netip.AddrPort, served chan struct{}) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, n); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	own := name.(*unix.SockaddrInet4)
	conns, buffer, served := make([]int, 0, n), make([]byte, 4096), make(chan struct{})
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	go func() {
		defer close(served)
		defer unix.Close(poll)
		defer unix.Close(fd)
		for len(conns) < n {
			c, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
			if err != nil {
				t.Error(err)
				return
			}
			conns = append(conns, c)
			if err := unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, c, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c)}); err != nil {
				t.Error(err)
				return
			}
		}
		var events [1]unix.EpollEvent
		for open := n; open > 0; {
			if _, err := unix.EpollWait(poll, events[:], -1); err == unix.EINTR {
				continue
			}
			c := int(events[0].Fd)
			if got, err := unix.Read(c, buffer); got <= 0 || err != nil {
				unix.Close(c)
				open--
			} else if _, err := unix.Write(c, answer); err != nil {
				t.Error(err)
			}
		}
	}()
	return netip.AddrPortFrom(netip.AddrFrom4(own.Addr), uint16(own.Port)), served
}
