package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/probe/host"
	"github.com/rampload/rampload/profiles"
)

// BenchmarkAgent measures what an agent that watches a run takes of a host with 20,000
// sockets, all of one service: of one core, of memory, and of the network. "make
// bench-agent".
func BenchmarkAgent(b *testing.B) {
	if os.Getenv("RAMPLOAD_SCALE") == "" {
		b.Skip("needs RAMPLOAD_SCALE=1: 20,000 sockets, and a minute")
	}
	files, err := host.RaiseNoFile()
	if err != nil {
		b.Fatal(err)
	}
	exe := b.TempDir() + "/rampload"
	if out, err := exec.Command("go", "build", "-o", exe, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	for _, sockets := range []int{200, 20_000} {
		b.Run(fmt.Sprint(sockets), func(b *testing.B) {
			connections := min(sockets, int(files)-200) / 2 // both ends are here
			port, done := hold(b, connections)
			defer done()
			for range b.N {
				measureAgent(b, exe, port)
				b.ReportMetric(float64(2*connections), "sockets")
			}
		})
	}
}

// hold keeps connections open, both ends of them in this process.
func hold(b *testing.B, n int) (port int, done func()) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var open []net.Conn
	for range n {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Skipf("%d connections: %v", n, err)
		}
		s, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		open = append(open, c, s)
	}
	return l.Addr().(*net.TCPAddr).Port, func() {
		l.Close()
		for _, c := range open {
			c.Close()
		}
	}
}

// measureAgent runs an agent for 20 s.
func measureAgent(b *testing.B, exe string, port int) {
	b.Helper()
	cmd := exec.Command(exe, "agent", "--stdio")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	request, err := json.Marshal(protocol.Request{
		Version: protocol.Version, RunID: "0123456789abcdef", Name: "orders", Processes: []profiles.Process{{Listen: port}},
		Ports: []uint16{uint16(port)}, Trace: true, Every: 250 * time.Millisecond,
	})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := in.Write(append(request, '\n')); err != nil {
		b.Fatal(err)
	}
	var bytes atomic.Int64
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, err := out.Read(buf)
			bytes.Add(int64(n))
			if err != nil {
				return
			}
		}
	}()
	<-time.After(4 * time.Second) // it has found the process
	const during = 20 * time.Second
	begun, used, came := time.Now(), cpuOf(b, cmd.Process.Pid), bytes.Load()
	<-time.After(during)
	passed := time.Since(begun).Seconds()
	b.ReportMetric((cpuOf(b, cmd.Process.Pid)-used)/passed*100, "%core")
	b.ReportMetric(float64(bytes.Load()-came)/passed/1024, "KB/s")
	b.ReportMetric(memoryOf(b, cmd.Process.Pid), "MB")
	_, _ = io.WriteString(in, `{"end":true}`+"\n")
}

// cpuOf is the processor time of a process, in seconds.
func cpuOf(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100 // USER_HZ is 100 on every architecture that Go knows
}

// memoryOf is the most memory that a process had resident, in MB.
func memoryOf(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	kb, _ := strconv.ParseFloat(strings.Fields(after)[0], 64)
	return kb / 1024
}
