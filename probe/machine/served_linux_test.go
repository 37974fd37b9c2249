package machine_test

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/machine"
	"github.com/rampload/rampload/profiles"
)

const (
	serverEnv = "RAMPLOAD_TEST_SERVER"
	listenEnv = "RAMPLOAD_TEST_LISTEN" // where it listens; empty: anywhere
	withChild = "2"                    // a child of it serves too
)

// TestMain runs the tests, or a service that answers a line with a line.
func TestMain(m *testing.M) {
	if os.Getenv(serverEnv) == "" {
		os.Exit(m.Run())
	}
	ln, err := net.Listen("tcp", cmp.Or(os.Getenv(listenEnv), "127.0.0.1:0"))
	if err != nil {
		os.Exit(1)
	}
	fmt.Println(ln.Addr())
	if os.Getenv(serverEnv) == withChild {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), serverEnv+"=1", listenEnv+"=")
		child.Stdin, child.Stdout = os.Stdin, os.Stdout
		if err := child.Start(); err != nil {
			os.Exit(1)
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(c, c) }()
	}
}

// server starts the service, and returns its address and process id.
func server(t *testing.T) (addr string, pid int) {
	t.Helper()
	addrs, pid := servers(t, "1", 1)
	return addrs[0], pid
}

// servers starts n services of which the first is the parent of the others.
func servers(t *testing.T, kind string, n int) (addrs []string, pid int) {
	t.Helper()
	s := start(t, kind, "", n)
	return s.addrs, s.cmd.Process.Pid
}

// service is a process that serves, and where.
type service struct {
	addrs []string
	cmd   *exec.Cmd
	in    io.Closer
}

// start starts n services of which the first is the parent of the others, at an address or
// anywhere. They end with the test.
func start(t *testing.T, kind, at string, n int) *service {
	t.Helper()
	s := &service{cmd: exec.Command(os.Args[0])}
	s.cmd.Env = append(os.Environ(), serverEnv+"="+kind, listenEnv+"="+at)
	in, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.in = in
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	lines := bufio.NewReader(out)
	for range n {
		var addr string
		if _, err := fmt.Fscanln(lines, &addr); err != nil {
			t.Fatal(err)
		}
		s.addrs = append(s.addrs, addr)
	}
	return s
}

// end ends a service and waits for it; again it does nothing.
func (s *service) end() {
	_ = s.in.Close()
	_ = s.cmd.Wait()
}

// A process that serves a port of its own, and is the child of one that serves too, is
// told once in a reading.
func TestParentAndChildServe(t *testing.T) {
	addrs, pid := servers(t, withChild, 2)
	for _, addr := range addrs {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	m := machine.Machine{Clock: probe.NewClock(time.Now()), Name: "local", Shared: &machine.Shared{}}
	whole := m.Host(profiles.Host{Name: "local"}).Open(t.Context(), probe.Selection{})
	defer whole.Close()
	i := slices.IndexFunc(whole.Samplers, func(s probe.Sampler) bool { return s.Source().Name == "requests" })
	if i < 0 {
		t.Skipf("where requests stand is not told here: %v", whole.Missing)
	}
	parent := false
	for deadline := time.Now().Add(20 * time.Second); !parent; {
		if time.Now().After(deadline) {
			t.Fatal("the parent was not found")
		}
		times := map[probe.Metric]int{}
		if err := whole.Samplers[i].Sample(t.Context(), func(s probe.Sample) { times[s.Metric]++ }); err != nil {
			t.Fatal(err)
		}
		for m, n := range times {
			parent = parent || m.PID == int32(pid) && m.Name == probe.OpenFiles
			if n > 1 {
				t.Errorf("%v is told %d times", m, n)
			}
		}
	}
}

// A service that nobody named is found and watched; one that another part of the
// machine names is not watched once more.
func TestServicesAreWatchedOnce(t *testing.T) {
	addr, pid := server(t)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, named := range []bool{false, true} {
		m := machine.Machine{Clock: probe.NewClock(time.Now()), Name: "local", Shared: &machine.Shared{}}
		if named {
			part := m.Host(profiles.Host{Name: "echo"}).Open(t.Context(), probe.Selection{Processes: []profiles.Process{{PID: pid}}})
			defer part.Close()
		}
		whole := m.Host(profiles.Host{Name: "local"}).Open(t.Context(), probe.Selection{})
		defer whole.Close()
		var requests probe.Sampler
		for _, s := range whole.Samplers {
			if s.Source().Name == "requests" {
				requests = s
			}
		}
		if requests == nil {
			t.Skipf("where requests stand is not told here: %v", whole.Missing)
		}
		service, process := false, false
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		buffer := make([]byte, 8)
		for deadline := time.Now().Add(20 * time.Second); !service || !process && !named; <-tick.C {
			if time.Now().After(deadline) {
				t.Fatalf("named %v: the service was seen: %v; its process was watched: %v", named, service, process)
			}
			if _, err := conn.Write([]byte("ask\n")); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(buffer); err != nil {
				t.Fatal(err)
			}
			err := requests.Sample(t.Context(), func(s probe.Sample) {
				if s.Metric.PID == int32(pid) {
					service = service || s.Metric.Name == probe.Serving
					process = process || s.Metric.Name != probe.Serving
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if named && process {
			t.Error("a process that a part names was watched once more")
		}
	}
}

// Who takes the place of a service at its port, as after a restart, is watched by whoever
// watched that one, and by nobody else.
func TestSuccessorsAreWatchedOnce(t *testing.T) {
	for _, byName := range []bool{false, true} {
		t.Run(fmt.Sprintf("named %v", byName), func(t *testing.T) {
			first := start(t, "1", "", 1)
			addr := first.addrs[0]
			m := machine.Machine{Clock: probe.NewClock(time.Now()), Name: "local", Shared: &machine.Shared{}}
			var selection probe.Selection
			if byName {
				port := netip.MustParseAddrPort(addr).Port()
				selection.Processes = []profiles.Process{{Listen: int(port)}}
			}
			whole := m.Host(profiles.Host{Name: "local"}).Open(t.Context(), selection)
			defer whole.Close()
			i := slices.IndexFunc(whole.Samplers, func(s probe.Sampler) bool { return s.Source().Name == "requests" })
			if i < 0 {
				t.Skipf("where requests stand is not told here: %v", whole.Missing)
			}
			// follow reads until a process was seen to serve, and is watched.
			follow := func(addr string, pid int) (starts, most int) {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				served, after := false, 0
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for deadline := time.Now().Add(20 * time.Second); after < 60; <-tick.C {
					if time.Now().After(deadline) {
						t.Fatal("the service was not seen, or not watched")
					}
					if _, err := conn.Write([]byte("ask\n")); err != nil {
						t.Fatal(err)
					}
					if _, err := conn.Read(make([]byte, 8)); err != nil {
						t.Fatal(err)
					}
					times := map[probe.Metric]int{}
					for _, s := range whole.Samplers {
						_ = s.Sample(t.Context(), func(x probe.Sample) {
							if x.Metric.PID == int32(pid) {
								served = served || x.Metric.Name == probe.Serving
								times[x.Metric]++
							}
						})
						if e, ok := s.(probe.EventSource); ok {
							e.DrainEvents(func(e probe.Event) {
								if e.Kind == probe.ProcessStart && e.PID == int32(pid) {
									starts++
								}
							})
						}
					}
					watched := 0
					for x, n := range times {
						if x.Name == probe.OpenFiles {
							watched += n
						}
					}
					most = max(most, watched)
					if served && watched > 0 {
						after++
					}
				}
				return starts, most
			}
			follow(addr, first.cmd.Process.Pid)
			first.end()
			second := start(t, "1", addr, 1)
			if starts, most := follow(addr, second.cmd.Process.Pid); starts > 1 || most > 1 {
				t.Errorf("its start was told %d times, and it was watched by %d", starts, most)
			}
		})
	}
}
