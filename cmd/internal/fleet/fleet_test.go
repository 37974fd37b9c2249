package fleet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// pipe is a connection to an agent in this process.
type pipe struct {
	in   *io.PipeWriter
	out  *io.PipeReader
	done chan struct{}
	err  error

	quiet  atomic.Bool // nothing that is written comes out any more
	killed chan struct{}
	kill   sync.Once
}

func (p *pipe) Write(b []byte) (int, error) { return p.in.Write(b) }
func (p *pipe) CloseWrite() error           { return p.in.Close() }
func (p *pipe) Wait() error                 { <-p.done; return p.err }
func (p *pipe) Read(b []byte) (int, error) {
	n, err := p.out.Read(b)
	if p.quiet.Load() {
		<-p.killed
		return 0, io.EOF
	}
	return n, err
}

func (p *pipe) Kill() {
	p.kill.Do(func() { close(p.killed) })
	p.in.CloseWithError(io.EOF)
	p.out.CloseWithError(io.ErrClosedPipe)
}

// counting is a sampler that counts its readings.
type counting struct {
	host  string
	clock probe.Clock
	n     float64
}

func (c *counting) Source() probe.Source { return probe.Source{Host: c.host, Name: "files"} }
func (c *counting) Close() error         { return nil }
func (c *counting) Sample(_ context.Context, emit func(probe.Sample)) error {
	c.n++
	c.clock.Stamp(emit)(probe.Reading{Metric: probe.Metric{Host: c.host, Name: probe.FileTable}, Value: c.n, Limit: 1e6})
	return nil
}

// boot is how much longer than the run's the agent's clock has run.
const boot = 100 * time.Hour

// startAgent starts an agent that watches one counter.
func startAgent() *pipe {
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	p := &pipe{in: inWrite, out: outRead, done: make(chan struct{}), killed: make(chan struct{})}
	clock := probe.NewClock(time.Now().Add(-boot))
	watch := func(_ context.Context, r protocol.Request, clock probe.Clock) (probe.Sources, []runlog.Host) {
		sources := probe.Sources{Samplers: []probe.Sampler{&counting{host: r.Name, clock: clock}}}
		sources.Add(probe.Source{Host: r.Name, Name: "reset trace"}, nil, &probe.Unsupported{What: "reset trace", Reason: "no tracefs", Needs: "root"})
		return sources, []runlog.Host{{Name: r.Name, Addrs: []string{"10.0.0.9"}}}
	}
	go func() {
		p.err = Serve(context.Background(), inRead, outWrite, clock, watch, AgentInfo{Rampload: "test"})
		inRead.CloseWithError(io.ErrClosedPipe)
		outWrite.Close()
		close(p.done)
	}()
	return p
}

func request() protocol.Request {
	return protocol.Request{RunID: "1", Name: "orders-1", Every: 250 * time.Millisecond}
}

// record follows an agent as long as a run takes and returns what the run kept.
func record(t *testing.T, conn Connection, during func()) (*runlog.Log, probe.Status) {
	t.Helper()
	link, err := Connect(t.Context(), conn, request())
	if err != nil {
		t.Fatal(err)
	}
	clock := probe.NewClock(time.Now())
	var file bytes.Buffer
	log, err := runlog.NewWriter(&file, runlog.Header{RunID: "1", Name: "peak", Started: clock.Start(), Interval: 250 * time.Millisecond, Hosts: []runlog.Host{{Name: "local"}, {Name: "orders-1"}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var status probe.Status
	var seen int
	var wg sync.WaitGroup
	wg.Go(func() { status = link.Follow(ctx, 1, clock, log, func(s []probe.Sample) { seen += len(s) }, nil) })
	during()
	stop()
	wg.Wait()
	if err := log.Close(runlog.Trailer{Ended: clock.Now(), Sources: []probe.Status{status}}); err != nil {
		t.Fatal(err)
	}
	got, err := runlog.Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Error("nothing was seen while the run went on")
	}
	return got, status
}

func sourceOf(t *testing.T, l *runlog.Log, name string) probe.Status {
	t.Helper()
	for _, s := range l.Trailer.Sources {
		if s.Source == (probe.Source{Host: "orders-1", Name: name}) {
			return s
		}
	}
	t.Fatalf("no source %q in %+v", name, l.Trailer.Sources)
	return probe.Status{}
}

// An agent's record is whole, on the run's clock, with what it could not measure.
func TestAgentRecordsARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := startAgent()
		log, status := record(t, conn, func() { time.Sleep(10 * time.Second) })
		if status.State != probe.Measured {
			t.Errorf("connection %+v", status)
		}
		if len(log.Series) != 1 {
			t.Fatalf("series %+v", log.Series)
		}
		s := log.Series[0]
		if n := len(s.At); n < 39 || n > 42 || s.Value[n-1] != float64(n) {
			t.Errorf("%d readings in 10 s, the last one %v", n, s.Value[n-1])
		}
		if first, last := s.At[0], s.At[len(s.At)-1]; first < -time.Second || first > time.Second || last < 9*time.Second || last > 11*time.Second {
			t.Errorf("read from %v to %v on the run's clock", first, last)
		}
		if e := log.Header.Hosts[1].ClockError; e == nil || *e > time.Millisecond {
			t.Errorf("clock error %v", e)
		}
		if s := sourceOf(t, log, "reset trace"); s.State != probe.NotMeasured || !strings.Contains(s.Reason, "root") {
			t.Errorf("%+v", s)
		}
		if s := sourceOf(t, log, "files"); s.State != probe.Measured {
			t.Errorf("%+v", s)
		}
		if s := sourceOf(t, log, "agent"); !strings.Contains(s.Reason, "right within") {
			t.Errorf("%+v", s)
		}
		<-conn.done
		if conn.err != nil {
			t.Errorf("the agent ended with %v", conn.err)
		}
	})
}

// A connection that is lost is told, with its time, and keeps what came before.
func TestLostConnection(t *testing.T) {
	for name, c := range map[string]struct {
		lose func(*pipe)
		says string
	}{
		"closed": {func(p *pipe) { p.Kill() }, "lost 5"},
		"silent": {func(p *pipe) { p.quiet.Store(true) }, "nothing came for 10s"}, // a partition
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := startAgent()
				log, status := record(t, conn, func() {
					time.Sleep(5 * time.Second)
					c.lose(conn)
					time.Sleep(20 * time.Second)
				})
				if status.State != probe.Partial || !strings.Contains(status.Reason, c.says) {
					t.Errorf("connection %+v", status)
				}
				if len(log.Series) != 1 || len(log.Series[0].At) < 18 {
					t.Errorf("before it was lost: %+v", log.Series)
				}
				if s := sourceOf(t, log, "agent"); s.State != probe.Partial {
					t.Errorf("%+v", s)
				}
				<-conn.done // it died with the connection
			})
		})
	}
}

// An agent whose coordinator is gone ends at once, and so does one that is told
// nonsense.
func TestAgentEndsWithItsConnection(t *testing.T) {
	for name, c := range map[string]struct{ told, says string }{
		"nothing":      {"", "ended before a request"},
		"no request":   {"hello\n", "not the protocol"},
		"another one":  {`{"version":9,"name":"a","every_ns":250000000}` + "\n", "same rampload at both ends"},
		"own name":     {`{"version":3,"name":"local","every_ns":250000000}` + "\n", "cannot be the name"},
		"busy":         {`{"version":3,"name":"a","every_ns":1}` + "\n", "out of range"},
		"gone":         {`{"version":3,"name":"a","every_ns":250000000}` + "\n", "connection is gone"},
		"then garbage": {`{"version":3,"name":"a","every_ns":250000000}` + "\n{]\n", "not the protocol"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := startAgent()
				go func() { _, _ = io.Copy(io.Discard, conn) }()
				if _, err := io.WriteString(conn, c.told); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				_ = conn.CloseWrite()
				if err := conn.Wait(); err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("ended with %v, want %q", err, c.says)
				}
			})
		})
	}
}

// What answers and is no agent is refused.
func TestConnectRefusesOthers(t *testing.T) {
	var other bytes.Buffer
	w, err := runlog.NewWriter(&other, runlog.Header{Role: runlog.RoleAgent, Member: "payments-1"})
	if err != nil {
		t.Fatal(err)
	}
	w.Flush()
	for name, says := range map[string]string{"SSH-2.0-OpenSSH\n": "", other.String(): "", "": ""} {
		synctest.Test(t, func(t *testing.T) {
			inRead, inWrite := io.Pipe()
			outRead, outWrite := io.Pipe()
			conn := &pipe{in: inWrite, out: outRead, done: make(chan struct{}), killed: make(chan struct{})}
			go func() { _, _ = io.Copy(io.Discard, inRead) }()
			go func() {
				_, _ = io.WriteString(outWrite, name)
				outWrite.Close()
				close(conn.done)
			}()
			if _, err := Connect(t.Context(), conn, request()); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%q answers, and Connect says %v", name, err)
			}
		})
	}
}

// A connection that takes nothing never holds a source up; when too much waits the
// agent gives up.
func TestBacklogIsBounded(t *testing.T) {
	read, write := io.Pipe()
	defer read.Close()
	b := newBacklog(write)
	go func() { _ = b.run() }()
	chunk := make([]byte, 1<<20)
	for i := range 2 * (maxBacklog >> 20) {
		if _, err := b.Write(chunk); err != nil {
			if i < maxBacklog>>20-1 {
				t.Errorf("full after %d MB", i)
			}
			return
		}
	}
	t.Error("there is no bound")
}

// An agent that is idle for a day neither grows nor stops.
func TestAgentForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := startAgent()
		r := request()
		r.Every = time.Minute
		if err := (&Link{conn: conn}).tell(protocol.Request{Version: protocol.Version, RunID: "1", Name: r.Name, Every: r.Every}); err != nil {
			t.Fatal(err)
		}
		var read int64
		var wg sync.WaitGroup
		wg.Go(func() { read, _ = io.Copy(io.Discard, conn) })
		time.Sleep(24 * time.Hour)
		if err := (&Link{conn: conn}).tell(protocol.Line{End: true}); err != nil {
			t.Fatal(err)
		}
		if err := conn.Wait(); err != nil && !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		wg.Wait()
		if read > 200_000 {
			t.Errorf("%d bytes in a day of one reading a minute", read)
		}
	})
}

func FuzzServe(f *testing.F) {
	f.Add([]byte(`{"version":3,"name":"a","every_ns":250000000}` + "\n" + `{"asked_ns":5}` + "\n" + `{"end":true}` + "\n"))
	f.Fuzz(func(t *testing.T, told []byte) {
		synctest.Test(t, func(t *testing.T) {
			watch := func(context.Context, protocol.Request, probe.Clock) (probe.Sources, []runlog.Host) {
				return probe.Sources{}, nil
			}
			_ = Serve(t.Context(), bytes.NewReader(told), io.Discard, probe.NewClock(time.Now()), watch, AgentInfo{})
		})
	})
}
