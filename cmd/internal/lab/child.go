package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Child is a service of the lab in a process of its own. Set the exported
// fields, then call Start once and Stop.
type Child struct {
	Exe    string   // program that calls [Run], usually os.Executable()
	Prefix []string // its arguments before the service; empty: {"lab-service"}
	Name   string   // service
	Args   []string // flags of the service
	Netns  string   // named network namespace to run in; empty: this one
	Cgroup []string // directories of control groups to run in
	Stderr io.Writer

	cmd   *exec.Cmd
	stdin io.Closer
	addr  netip.AddrPort
	done  chan struct{} // closed when the process has ended
	mu    sync.Mutex
	truth Truth
	err   error // of the process or of its truth
}

// Start starts the child and returns when it listens, at most 10 s later. The
// child ends with ctx, with Stop, and with this process, however that ends.
func (c *Child) Start(ctx context.Context) error {
	prefix := c.Prefix
	if len(prefix) == 0 {
		prefix = []string{"lab-service"}
	}
	args := append(append(append([]string{}, prefix...), c.Name, "-until-eof"), c.Args...)
	c.cmd = exec.CommandContext(ctx, c.Exe, args...)
	c.cmd.Stderr = c.Stderr
	c.cmd.WaitDelay = time.Second
	dieWithParent(c.cmd)
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("start lab service %s: %w", c.Name, err)
	}
	c.stdin = stdin
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start lab service %s: %w", c.Name, err)
	}
	c.done = make(chan struct{})
	started := make(chan error, 1)
	listening := make(chan netip.AddrPort, 1)
	go func() {
		defer close(c.done)
		// The parent-death signal is bound to the thread that forks, and a thread
		// that entered a namespace must not serve other goroutines: it stays locked
		// until the child is gone, and ends with this goroutine if it moved.
		runtime.LockOSThread()
		if err := startIn(c.cmd, c.Netns, c.Cgroup); err != nil {
			started <- err
			return
		}
		io.WriteString(stdin, "go\n") // if it has ended already, Wait tells why
		started <- nil
		truth, scanErr := readTruth(stdout, listening)
		err := c.cmd.Wait()
		c.mu.Lock()
		c.truth, c.err = truth, errors.Join(scanErr, err)
		c.mu.Unlock()
		if c.Netns == "" {
			runtime.UnlockOSThread()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start lab service %s: %w", c.Name, err)
	}
	timeout := time.NewTimer(10 * time.Second)
	defer timeout.Stop()
	select {
	case c.addr = <-listening:
		return nil
	case <-c.done:
		if _, err := c.result(); err != nil {
			return fmt.Errorf("start lab service %s: ended at once: %w", c.Name, err)
		}
		return fmt.Errorf("start lab service %s: it ended without an error before it listened", c.Name)
	case <-timeout.C:
		c.Kill()
		return fmt.Errorf("start lab service %s: it did not listen within 10 s", c.Name)
	}
}

// readTruth reads what a service prints: its address, then its truth.
func readTruth(r io.Reader, listening chan<- netip.AddrPort) (Truth, error) {
	var truth Truth
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		line := lines.Text()
		if text, ok := strings.CutPrefix(line, "listening "); ok {
			addr, err := netip.ParseAddrPort(text)
			if err != nil {
				return truth, fmt.Errorf("read address of lab service: %w", err)
			}
			select {
			case listening <- addr:
			default:
			}
			continue
		}
		if err := json.Unmarshal([]byte(line), &truth); err != nil {
			return truth, fmt.Errorf("read truth of lab service: %w", err)
		}
	}
	return truth, lines.Err()
}

// Addr returns where the service listens.
func (c *Child) Addr() netip.AddrPort { return c.addr }

// URL returns the service's base URL over plain HTTP.
func (c *Child) URL() string { return "http://" + c.addr.String() }

// PID returns the child's process id.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Stop asks the child to end, kills it after 5 s, and returns its truth. It may
// be called again for the same answer.
func (c *Child) Stop() (Truth, error) {
	if c.done == nil {
		return Truth{}, fmt.Errorf("stop lab service %s: it was not started", c.Name)
	}
	c.stdin.Close()
	timeout := time.NewTimer(5 * time.Second)
	defer timeout.Stop()
	select {
	case <-c.done:
	case <-timeout.C:
		c.Kill()
	}
	truth, err := c.result()
	if err != nil {
		return truth, fmt.Errorf("stop lab service %s: %w", c.Name, err)
	}
	return truth, nil
}

// Done is closed when the child has ended, however it did.
func (c *Child) Done() <-chan struct{} { return c.done }

// Kill ends the child at once (SIGKILL) and returns when it is gone.
func (c *Child) Kill() {
	c.cmd.Process.Kill()
	<-c.done
}

func (c *Child) result() (Truth, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.truth, c.err
}
