package services

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rampload/rampload/attack/fault"
	"github.com/rampload/rampload/cmd/internal/lab"
)

// service is one service that [Run] can run. It declares its flags and
// returns what runs it until ctx ends.
type service func(fs *flag.FlagSet) func(ctx context.Context, h *host) error

// host is what a service gets from [Run].
type host struct {
	addr    string
	backlog int
	tally   *lab.Tally
	ready   func(net.Addr)
}

func services() map[string]service {
	return map[string]service{
		"payments":  payments,
		"api":       api,
		"injector":  injectorService,
		"orders":    orders,
		"web":       web,
		"forge":     forge,
		"delay":     delay,
		"supervise": supervise,
	}
}

// Run runs a named service of the lab in this process until ctx ends, or,
// with the flag -until-eof, until standard input ends. The first line that it
// writes is "listening ADDRESS:PORT", the last one its [Truth] as JSON. The flag
// -nofile sets the soft limit of open files of the whole process, so it is meant
// to run as a process of its own, see [Child].
func Run(ctx context.Context, name string, args []string, stdout io.Writer) error {
	table := services()
	svc, ok := table[name]
	if !ok {
		return fmt.Errorf("run lab service: no service %q; there are %s", name, strings.Join(slices.Sorted(maps.Keys(table)), ", "))
	}
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	h := &host{tally: lab.NewTally("service " + name)}
	fs.StringVar(&h.addr, "addr", "127.0.0.1:0", "listen address")
	fs.IntVar(&h.backlog, "backlog", 0, "length of the accept queue; 0: the system's maximum")
	nofile := fs.Uint64("nofile", 0, "soft limit of open files; 0: as it is")
	cores := fs.Int("cores", 0, "processors that the process may use; 0: as it is")
	untilEOF := fs.Bool("until-eof", false, "begin with the first line of standard input, and end when it ends")
	run := svc(fs)
	if err := fs.Parse(args); err != nil {
		return fmt.Errorf("run lab service %s: %w", name, err)
	}
	if *nofile > 0 {
		if err := limitFiles(*nofile); err != nil {
			return fmt.Errorf("run lab service %s: limit open files to %d: %w", name, *nofile, err)
		}
	}
	if *cores > 0 {
		if err := limitCores(*cores); err != nil {
			return fmt.Errorf("run lab service %s: limit processors to %d: %w", name, *cores, err)
		}
	}
	nameProcess(name)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if *untilEOF {
		// Whoever started the process may have to move it to its control group first.
		in := bufio.NewReader(os.Stdin) //nolint:forbidigo // a service is a process of its own
		if _, err := in.ReadString('\n'); err != nil {
			return fmt.Errorf("run lab service %s: wait for the go-ahead: %w", name, err)
		}
		// The goroutine ends with its input; when ctx ends first, with the process.
		go func() {
			io.Copy(io.Discard, in)
			cancel()
		}()
	}
	var once sync.Once
	h.ready = func(a net.Addr) {
		once.Do(func() { fmt.Fprintf(stdout, "listening %v\n", a) })
	}
	runErr := run(ctx, h)
	if errors.Is(runErr, context.Canceled) {
		runErr = nil
	}
	// The truth is told however it ended.
	line, err := json.Marshal(h.tally.Truth())
	if err == nil {
		_, err = fmt.Fprintf(stdout, "%s\n", line)
	}
	if err := errors.Join(runErr, err); err != nil {
		return fmt.Errorf("run lab service %s: %w", name, err)
	}
	return nil
}

// listen opens the service's listener with its backlog.
func (h *host) listen() (*net.TCPListener, error) {
	if h.backlog > 0 {
		return listenBacklog(h.addr, h.backlog)
	}
	ln, err := net.Listen("tcp", h.addr)
	if err != nil {
		return nil, err
	}
	return ln.(*net.TCPListener), nil
}

// acceptor accepts connections until ctx ends, gives each a goroutine, and
// closes what is open at the end.
type acceptor struct {
	ln    *net.TCPListener
	tally *lab.Tally
	serve func(*net.TCPConn)
	// failed is told of an accept that failed for lack of descriptors; it returns
	// after the time that the service takes before it tries again.
	failed func(error)
	// before, if set, is called before each accept: a slow acceptor.
	before func()

	mu    sync.Mutex
	conns map[*net.TCPConn]struct{}
}

func (a *acceptor) run(ctx context.Context) error {
	a.conns = make(map[*net.TCPConn]struct{})
	stop := context.AfterFunc(ctx, func() { a.ln.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		for c := range a.conns {
			c.Close()
		}
	}()
	for {
		if a.before != nil {
			a.before()
		}
		c, err := a.ln.AcceptTCP()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			if outOfFiles(err) {
				a.tally.Harm("accept-emfile")
			}
			if a.failed != nil {
				a.failed(err)
			} else {
				lab.Wait(ctx, 5*time.Millisecond)
			}
			continue
		}
		a.mu.Lock()
		a.conns[c] = struct{}{}
		a.mu.Unlock()
		wg.Go(func() {
			defer func() {
				c.Close()
				a.mu.Lock()
				delete(a.conns, c)
				a.mu.Unlock()
			}()
			a.serve(c)
		})
	}
}

// abort resets a connection by SO_LINGER 0 and counts it as a reset, if the peer
// was still there.
func (h *host) abort(c *net.TCPConn) {
	if fault.Reset(c) {
		h.tally.Harm("resets")
	} else {
		h.tally.Count("late-resets")
	}
}

// drop closes a connection as a service does that has no time for it: what is
// unread makes the kernel send a RST instead of a FIN (RFC 1122 section
// 4.2.2.13). It is counted as the one or the other.
func (h *host) drop(c *net.TCPConn) {
	rst := fault.Unread(c) > 0
	open := fault.PeerOpen(c)
	c.Close()
	switch {
	case !open:
		h.tally.Count("late-resets")
	case rst:
		h.tally.Harm("resets")
	default:
		h.tally.Harm("closed")
	}
}
