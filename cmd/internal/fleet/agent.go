package fleet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

const (
	// flushEvery is how often an agent hands on what it has recorded.
	flushEvery = 250 * time.Millisecond
	// maxLine bounds what an agent reads of its input at once.
	maxLine = 1 << 20
	// requestIn is how long an agent waits for its request.
	requestIn = time.Minute
)

// AgentInfo is what an agent says of itself in the header of its record.
type AgentInfo struct {
	Rampload string
	Kernel   string
}

// Serve is an agent on a pipe: it reads a request from in, watches, and writes its run
// log to out, until it is told to end, in ends or ctx is done. It sends no load,
// executes nothing that it is told, and leaves nothing behind.
func Serve(ctx context.Context, in io.Reader, out io.Writer, clock probe.Clock, watch Watch, info AgentInfo) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := scan(ctx, in)
	request, err := firstRequest(ctx, lines)
	if err != nil {
		return err
	}
	sources, hosts := watch(ctx, request, clock)
	pipe := newBacklog(out)
	log, err := runlog.NewWriter(pipe, agentHeader(request, clock, hosts, info))
	if err != nil {
		sources.Close()
		return fmt.Errorf("begin record: %w", err)
	}
	ending, end := context.WithCancelCause(ctx)
	defer end(nil)
	go listen(ending, lines, clock, request.Name, log, end)
	go func() { end(pipe.run()) }()
	go flush(ending, log)

	err = observe(ending, request, clock, sources, log, log)
	if cause := context.Cause(ending); !errors.Is(cause, errEnd) && !errors.Is(cause, context.Canceled) {
		return cause // the connection is gone: nobody reads the rest
	}
	return errors.Join(err, pipe.close())
}

// observe records what the sources see until ctx is done, and ends the record.
func observe(ctx context.Context, r protocol.Request, clock probe.Clock, sources probe.Sources, log *runlog.Writer, to session.Recorder) error {
	outcome, err := session.Run(ctx, session.Config{
		Clock: clock, Samplers: sources.Samplers, Watchers: sources.Watchers, Recorder: to, SampleEvery: r.Every,
		Interval: flushEvery, After: func(ctx context.Context) error { <-ctx.Done(); return nil },
	})
	trailer := runlog.Trailer{Ended: clock.Now(), Sources: append(outcome.Sources, sources.Missing...)}
	if err != nil {
		trailer.Error = err.Error()
	}
	return log.Close(trailer)
}

var (
	// errEnd is the end that was asked for.
	errEnd = errors.New("told to end")
	// errGone is the end without one: whoever asked is gone.
	errGone = errors.New("the connection is gone")
)

// scan reads lines in a goroutine, which ends with the input.
func scan(ctx context.Context, in io.Reader) <-chan []byte {
	lines := make(chan []byte)
	go func() {
		defer close(lines)
		s := bufio.NewScanner(in)
		s.Buffer(nil, maxLine)
		for s.Scan() {
			select {
			case lines <- append([]byte(nil), s.Bytes()...):
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

func firstRequest(ctx context.Context, lines <-chan []byte) (protocol.Request, error) {
	late := time.NewTimer(requestIn)
	defer late.Stop()
	select {
	case <-ctx.Done():
		return protocol.Request{}, ctx.Err()
	case <-late.C:
		return protocol.Request{}, fmt.Errorf("no request came in %s: rampload agent --stdio is started by a run, and not by hand", requestIn)
	case text, open := <-lines:
		if !open {
			return protocol.Request{}, fmt.Errorf("the input ended before a request: rampload agent --stdio is started by a run, and not by hand")
		}
		request, err := protocol.DecodeLine[protocol.Request](text)
		if err != nil {
			return protocol.Request{}, err
		}
		return request, request.Check()
	}
}

func agentHeader(r protocol.Request, clock probe.Clock, hosts []runlog.Host, info AgentInfo) runlog.Header {
	name, _ := os.Hostname()
	return runlog.Header{
		RunID: r.RunID, Name: r.Name, Role: runlog.RoleAgent, Member: r.Name, Interval: flushEvery,
		Started: clock.Start().Round(0).UTC(), Hosts: hosts, Host: name,
		Rampload: info.Rampload, Kernel: info.Kernel, Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(),
	}
}

// listen answers questions for the time until the end.
func listen(ctx context.Context, lines <-chan []byte, clock probe.Clock, name string, log *runlog.Writer, end context.CancelCauseFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case text, open := <-lines:
			received := clock.Now()
			if !open {
				end(errGone)
				return
			}
			told, err := protocol.DecodeLine[protocol.Line](text)
			switch {
			case err != nil:
				end(err)
				return
			case told.End:
				end(errEnd)
				return
			case told.Asked != nil:
				log.Clock(runlog.ClockReading{Member: name, Asked: *told.Asked, Received: received, Answered: clock.Now()})
			}
		}
	}
}

func flush(ctx context.Context, log *runlog.Writer) {
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			log.Flush()
		}
	}
}

// maxBacklog bounds what waits for a connection that takes nothing. An agent records
// some 20 KB a second.
const maxBacklog = 64 << 20

// backlog is between a record and a connection, so that no source ever waits for the
// network.
type backlog struct {
	out  io.Writer
	mu   sync.Mutex
	more *sync.Cond
	data []byte
	err  error
	done bool          // nothing follows
	sent chan struct{} // closed when everything was handed on, or cannot be
}

func newBacklog(out io.Writer) *backlog {
	b := &backlog{out: out, sent: make(chan struct{})}
	b.more = sync.NewCond(&b.mu)
	return b
}

// Write keeps p until the connection takes it. It fails when too much waits.
func (b *backlog) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.data)+len(p) > maxBacklog && b.err == nil {
		b.err = fmt.Errorf("hand on the record: the connection takes nothing, and %d MB wait for it", maxBacklog>>20)
	}
	if b.err != nil {
		return 0, b.err
	}
	b.data = append(b.data, p...)
	b.more.Signal()
	return len(p), nil
}

// run hands on what was written until close or an error, which it returns.
func (b *backlog) run() error {
	defer close(b.sent)
	for {
		b.mu.Lock()
		for len(b.data) == 0 && !b.done && b.err == nil {
			b.more.Wait()
		}
		data, err := b.data, b.err
		b.data = nil
		b.mu.Unlock()
		if err != nil || len(data) == 0 {
			return err
		}
		if _, err := b.out.Write(data); err != nil {
			b.mu.Lock()
			b.err = fmt.Errorf("hand on the record: %w", err)
			b.mu.Unlock()
		}
	}
}

// drainFor is how long the end of a record may take to be handed on.
const drainFor = 10 * time.Second

// close waits until everything was handed on.
func (b *backlog) close() error {
	b.mu.Lock()
	b.done = true
	b.more.Signal()
	b.mu.Unlock()
	late := time.NewTimer(drainFor)
	defer late.Stop()
	select {
	case <-b.sent:
	case <-late.C:
		return errors.New("hand on the record: the connection takes nothing")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}
