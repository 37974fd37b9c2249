package host

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

// The tests watch other processes, which are this test binary run again: it
// listens, and does what its standard input says.
func TestMain(m *testing.M) {
	if mode := os.Getenv("RAMPLOAD_TEST_CHILD"); mode != "" {
		child(mode)
		return
	}
	os.Exit(m.Run())
}

func child(mode string) {
	if port, ok := strings.CutPrefix(mode, "watch "); ok { // as a user that may not
		n, _ := strconv.Atoi(port)
		p, err := NewProcess(profiles.Process{Listen: n}, "", Options{})
		if err == nil {
			for range 2 {
				err = p.Sample(context.Background(), func(r probe.Sample) { fmt.Println(r.Metric.Name, r.Metric.PID, r.Value) })
			}
		}
		fmt.Println("error:", err)
		return
	}
	l, err := net.Listen("tcp", mode)
	if err != nil {
		fmt.Println("listen:", err)
		os.Exit(1)
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	var keep []any
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		word, arg, _ := strings.Cut(in.Text(), " ")
		n, _ := strconv.Atoi(arg)
		switch word {
		case "open":
			for range n {
				f, err := os.Open("/dev/null")
				if err != nil {
					fmt.Println("open:", err)
					os.Exit(1)
				}
				keep = append(keep, f)
			}
		case "limit":
			_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(n), Max: uint64(n)})
		case "fork", "fork-as":
			c := exec.Command("sleep", "60")
			c.SysProcAttr = &syscall.SysProcAttr{}
			if word == "fork-as" {
				c = exec.Command("prlimit", "--nproc=40", "sleep", "60")
				c.Dir = "/"
				c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(n), Gid: uint32(n)}}
			}
			c.SysProcAttr.Pdeathsig = syscall.SIGKILL
			if err := c.Start(); err != nil {
				fmt.Println("fork:", err)
				os.Exit(1)
			}
			fmt.Println(c.Process.Pid)
			continue
		case "spin":
			go func() {
				for n := uint64(0); ; n++ {
					if n == 1<<63 { // never: it only has to be busy
						return
					}
				}
			}()
		case "exit":
			os.Exit(n)
		}
		fmt.Println("ok")
	}
	_ = keep
}

// service is a child process.
type service struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	port int
	pid  int32
}

// startService starts a child that listens on an address.
func startService(t *testing.T, addr string) *service {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, cmd: exec.Command(exe)}
	s.cmd.Env = append(os.Environ(), "RAMPLOAD_TEST_CHILD="+addr)
	s.cmd.Stderr = os.Stderr
	s.in, err = s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	s.pid = int32(s.cmd.Process.Pid)
	s.out = bufio.NewReader(out)
	s.port = s.number()
	return s
}

// tell gives a command and waits until it is done.
func (s *service) tell(command string) {
	s.t.Helper()
	fmt.Fprintln(s.in, command)
	if strings.HasPrefix(command, "exit") {
		_ = s.cmd.Wait()
		return
	}
	if line, err := s.out.ReadString('\n'); line != "ok\n" {
		s.t.Fatalf("%s: %q, %v", command, line, err)
	}
}

func (s *service) number() int {
	s.t.Helper()
	line, err := s.out.ReadString('\n')
	n, convErr := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || convErr != nil {
		s.t.Fatalf("child said %q, %v", line, err)
	}
	return n
}

func (s *service) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// skip skips a test for a reason, unless everything must run.
func skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("RAMPLOAD_NO_SKIP") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// waitFor waits until a condition holds.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(3 * time.Minute)
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}
