package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/bus"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/runlog"
)

const (
	testRun    = "0123456789abcdef"
	testWindow = 250 * time.Millisecond
)

// dueIn is what is due of a slice of the made-up load in each window.
func dueIn(slice int) uint64 { return uint64(100 + slice) }

// player is a sender that counts as a generator does, and sends nothing.
type player struct {
	windows int32
	refuse  error
	sent    *atomic.Uint64
	dead    atomic.Bool // it writes nothing any more, as a process that was killed
}

func (p *player) Prepare(context.Context, protocol.Assignment) ([]string, error) {
	return nil, p.refuse
}

func (p *player) Load(ctx context.Context, a protocol.Assignment, s Slice) error {
	h := a.Header
	h.Slice, h.Started = s.Index, s.Start
	log, err := runlog.NewWriter(s.Out, h)
	if err != nil {
		return err
	}
	interrupted := false
	for i := int32(s.From / testWindow); i < p.windows && !interrupted; i++ {
		wait := time.NewTimer(time.Until(s.Start.Add(time.Duration(i+1) * testWindow)))
		select {
		case <-ctx.Done():
			interrupted = true
			continue
		case <-wait.C:
		}
		if p.dead.Load() {
			<-ctx.Done()
			return nil
		}
		n := dueIn(s.Index)
		p.sent.Add(n)
		log.Window(attack.Window{
			Index: i, Scheduled: n, Sent: n, Cells: []attack.Cell{{DueWindow: i, Phase: attack.PhaseDone, Attempts: n, Requests: n}},
			FromDue: attack.Histogram{{Value: int64(s.Index + 1), Count: n}},
		})
	}
	return log.Close(runlog.Trailer{Ended: time.Duration(p.windows) * testWindow, Interrupted: interrupted})
}

// crew is a fleet in this process.
type crew struct {
	t       testing.TB
	server  *bus.Server
	meeting *Meeting
	sent    atomic.Uint64
	stop    []func()
	players []*player
	members []*Member
}

func newCrew(t testing.TB, workers, agents int, windows int32) *crew {
	t.Helper()
	meeting, err := Meet(t.Context(), profiles.Fleet{Listen: "127.0.0.1:0"}, t.TempDir(), func(text string) { t.Log(text) })
	if err != nil {
		t.Fatal(err)
	}
	c := &crew{t: t, server: meeting.server, meeting: meeting}
	t.Cleanup(func() { c.close() })
	for i := range workers {
		p := &player{windows: windows, sent: &c.sent}
		c.players = append(c.players, p)
		c.serve(&Member{Name: fmt.Sprintf("worker-%03d", i+1), Send: p})
	}
	for i := range agents {
		c.serve(&Member{Name: fmt.Sprintf("agent-%03d", i+1), Watch: func(_ context.Context, r protocol.Request, clock probe.Clock) (probe.Sources, []runlog.Host) {
			return probe.Sources{Samplers: []probe.Sampler{&counting{host: r.Name, clock: clock}}}, []runlog.Host{{Name: r.Name}}
		}})
	}
	return c
}

// serve lets a member take part, with a clock of its own.
func (c *crew) serve(m *Member) {
	m.Bus = bus.Config{Own: c.server}
	m.Clock = probe.NewClock(time.Now().Add(-time.Duration(len(c.members)+1) * time.Hour))
	ctx, cancel := context.WithCancel(context.Background())
	c.members = append(c.members, m)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := m.Serve(ctx); err != nil {
			c.t.Errorf("%s: %v", m.Name, err)
		}
	}()
	c.stop = append(c.stop, func() { cancel(); <-done })
}

func (c *crew) close() {
	for _, stop := range c.stop {
		stop()
	}
	c.stop = nil
	c.meeting.Close(true)
}

// kill lets a worker vanish as a process that was killed.
func (c *crew) kill(worker int) {
	c.players[worker].dead.Store(true)
	c.members[worker].conn.Close()
	c.members[worker].beats.Close()
}

func (c *crew) config(workers int, windows int32) LeadConfig {
	header := runlog.Header{Name: "made up", Interval: testWindow, Targets: []runlog.Target{{Name: "a"}}}
	return LeadConfig{
		Conn: c.meeting.Conn, Beats: c.meeting.Beats, Run: testRun, Workers: workers, Targets: 1, Window: testWindow,
		Warn: func(text string) { c.t.Log(text) },
		Assign: func(slice, of int) (protocol.Assignment, error) {
			return protocol.Assignment{Header: header, Slice: slice, Of: of, SampleEvery: testWindow}, nil
		},
		Missed: func(slice, _ int, from, to int32) (due [][]uint64, err error) {
			for i := from; i < to; i++ {
				n := dueIn(slice)
				if i >= windows {
					n = 0
				}
				due = append(due, []uint64{n})
			}
			return due, nil
		},
	}
}

// watching is a sink that adds up what the live view shows.
type watching struct {
	scheduled, sent, unsent uint64
	windows                 int32
	each                    func(index int32)
}

func (w *watching) Address(attack.Address) {}
func (w *watching) Failure(attack.Failure) {}
func (w *watching) Window(v attack.Window) {
	w.scheduled, w.sent, w.unsent, w.windows = w.scheduled+v.Scheduled, w.sent+v.Sent, w.unsent+v.Unsent, v.Index+1
	if w.each != nil {
		w.each(v.Index)
	}
}

// lead leads a run of the crew and returns the run log and what the live view showed.
func (c *crew) lead(ctx context.Context, cfg LeadConfig, each func(int32)) (*runlog.Log, *watching, []probe.Status) {
	c.t.Helper()
	lead, err := Gather(ctx, cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	start := time.Now().Add(time.Second)
	var file bytes.Buffer
	log, err := runlog.NewWriter(&file, runlog.Header{RunID: testRun, Role: runlog.RoleCoordinator, Started: start, Interval: testWindow, Targets: []runlog.Target{{Name: "a"}}, Hosts: []runlog.Host{{Name: "local"}}})
	if err != nil {
		c.t.Fatal(err)
	}
	if err := lead.Start(ctx, start); err != nil {
		c.t.Fatal(err)
	}
	lead.Follow(ctx, log, nil, 0, nil, nil)
	live := &watching{each: each}
	loader := lead.Loader(time.Second)
	summary, err := loader.Run(ctx, live)
	if err != nil {
		c.t.Fatal(err)
	}
	statuses, complete := lead.End()
	lead.Forget(complete)
	if err := log.Close(runlog.Trailer{Ended: summary.Ended, Interrupted: summary.Interrupted, Sources: statuses}); err != nil {
		c.t.Fatal(err)
	}
	merged, err := runlog.Read(&file)
	if err != nil {
		c.t.Fatal(err)
	}
	return merged, live, statuses
}

func sums(l *runlog.Log) (scheduled, sent, unsent uint64) {
	for _, w := range l.Windows[0] {
		scheduled, sent, unsent = scheduled+w.Scheduled, sent+w.Sent, unsent+w.Unsent
	}
	return scheduled, sent, unsent
}

// The report of a fleet is the sum of what its workers counted; nothing of a worker
// that vanishes in the middle is lost, and another one sends its slice.
func TestFleetAddsUp(t *testing.T) {
	const windows = 18
	for name, killed := range map[string]bool{"all well": false, "one is killed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrew(t, 3, 1, windows)
			cfg := c.config(3, windows)
			cfg.Agents = []protocol.Request{{Agent: "agent-001", Name: "db-1", Every: testWindow}}
			var once sync.Once
			log, live, statuses := c.lead(t.Context(), cfg, func(index int32) {
				if killed && index >= 4 {
					once.Do(func() { c.kill(1) })
				}
			})
			var due uint64
			for slice := range 3 {
				due += windows * dueIn(slice)
			}
			scheduled, sent, unsent := sums(log)
			if scheduled != due || sent+unsent != due || sent != c.sent.Load() || (unsent > 0) != killed {
				t.Errorf("%d scheduled of %d, %d sent (the workers: %d), %d unsent", scheduled, due, sent, c.sent.Load(), unsent)
			}
			if live.scheduled != scheduled || live.sent != sent || live.windows != windows {
				t.Errorf("the live view has %d scheduled and %d sent in %d windows", live.scheduled, live.sent, live.windows)
			}
			if got := len(log.Takeovers); (got == 1) != killed {
				t.Errorf("%d takeovers", got)
			}
			if killed {
				gap := log.Takeovers[0]
				if gap.Member != "worker-002" || gap.By == "" || gap.By == gap.Member || gap.Until-gap.From > int32((protocol.TakenAfter+time.Second)/testWindow) {
					t.Errorf("%+v", gap)
				}
			}
			for _, s := range statuses {
				lost := killed && s.Source.Host == "worker-002"
				if (s.State == probe.Partial) != lost {
					t.Errorf("%+v", s)
				}
			}
			series := false
			for _, s := range log.Series {
				series = series || s.Metric.Host == "db-1" && len(s.At) > 4 && s.At[len(s.At)-1] < time.Minute
			}
			if !series {
				t.Error("nothing of the agent's, or not on the run's clock")
			}
		})
	}
}

// A stop reaches all workers, and what they have counted by then is all there is.
func TestFleetIsStopped(t *testing.T) {
	c := newCrew(t, 2, 0, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	log, _, statuses := c.lead(ctx, c.config(2, 1000), func(index int32) {
		if index == 3 {
			cancel()
		}
	})
	if _, sent, unsent := sums(log); sent != c.sent.Load() || unsent != 0 || !log.Trailer.Interrupted {
		t.Errorf("%d sent (the workers: %d), %d unsent, trailer %+v", sent, c.sent.Load(), unsent, log.Trailer)
	}
	for _, s := range statuses {
		if s.State != probe.Measured {
			t.Errorf("%+v", s)
		}
	}
}

// Workers stop by themselves when the coordinator is gone, and what they recorded is
// put together afterwards.
func TestCoordinatorIsGone(t *testing.T) {
	c := newCrew(t, 2, 1, 1000)
	cfg := c.config(2, 1000)
	cfg.Agents = []protocol.Request{{Agent: "agent-001", Name: "db-1", Every: testWindow}}
	lead, err := Gather(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now().Add(500 * time.Millisecond)
	if err := lead.Start(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	var own bytes.Buffer
	log, err := runlog.NewWriter(&own, runlog.Header{RunID: testRun, Role: runlog.RoleCoordinator, Started: start, Interval: testWindow, Targets: []runlog.Target{{Name: "a"}}})
	if err != nil {
		t.Fatal(err)
	}
	log.Flush()
	if err := <-c.meeting.Conn.Append(testRun, 0, 0, own.Bytes()); err != nil {
		t.Fatal(err)
	}
	for c.sent.Load() < 4*dueIn(0) {
		runtime.Gosched()
		<-time.After(10 * time.Millisecond)
	}
	lead.stop() // no sign of life any more: it was killed
	var file bytes.Buffer
	got, err := Resume(t.Context(), c.meeting, testRun, 20*time.Second, &file)
	if err != nil || !got.Complete || got.Parts != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	merged, err := runlog.Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	if _, sent, _ := sums(merged); sent != c.sent.Load() || merged.Trailer == nil || !merged.Trailer.Interrupted {
		t.Errorf("%d sent (the workers: %d), trailer %+v", sent, c.sent.Load(), merged.Trailer)
	}
}

// Whoever is not there or does not want is told in one line.
func TestGatherRefuses(t *testing.T) {
	c := newCrew(t, 2, 0, 4)
	c.players[0].refuse = errors.New("target a at x:1 is not one of those that this worker sends to (y:1)")
	if _, err := Gather(t.Context(), c.config(2, 4)); err == nil || !strings.Contains(err.Error(), "worker worker-001: target a") {
		t.Errorf("a worker that does not want: %v", err)
	}
	c.players[0].refuse = nil
	cfg := c.config(1, 4)
	cfg.Within = 2 * time.Second
	cfg.Agents = []protocol.Request{{Agent: "nobody", Name: "db-1", Every: testWindow}}
	lead, err := Gather(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := lead.Failed()["db-1"]; err == nil || !strings.Contains(err.Error(), "rampload agent --nats URL --name nobody") {
		t.Errorf("an agent that is not there: %v", err)
	}
	// One worker is in a run now: two are not free.
	other := c.config(2, 4)
	other.Run, other.Within = "fedcba9876543210", time.Second
	if _, err := Gather(t.Context(), other); err == nil || !strings.Contains(err.Error(), "2 are wanted, and 1 answer") || !strings.Contains(err.Error(), "another run") {
		t.Errorf("too few: %v", err)
	}
	lead.Abandon()
}

// Orders that no coordinator gives do nothing.
func TestForgedOrders(t *testing.T) {
	m := &Member{Name: "w", Send: &player{}, jobs: map[string]*job{}, Clock: probe.NewClock(time.Now())}
	for text, says := range map[string]string{
		"{":                             "decode order",
		`{"version":9}`:                 "same rampload everywhere",
		`{"version":3,"run":"../../x"}`: "not the id of a run",
		`{"version":3,"run":"0123456789abcdef","kind":"start"}`:                                                                               "takes no part",
		`{"version":3,"run":"0123456789abcdef","kind":"watch"}`:                                                                               "does nothing else",
		`{"version":3,"run":"0123456789abcdef","kind":"exec"}`:                                                                                "takes no part",
		`{"version":3,"run":"0123456789abcdef","kind":"go","part":-1}`:                                                                        "not the number of a part",
		`{"version":3,"run":"0123456789abcdef","kind":"prepare","assignment":{"slice":3,"of":2}}`:                                             "no slice 3 of 2",
		`{"version":3,"run":"0123456789abcdef","kind":"prepare","assignment":{"of":1,"profile":{"Client":{"TLS":{"CAFile":"/etc/passwd"}}}}}`: "was not sent along",
	} {
		if got := string(m.hear([]byte(text))); !strings.Contains(got, says) {
			t.Errorf("%s: %s, want %q", text, got, says)
		}
	}
	if len(m.jobs) != 0 {
		t.Errorf("it takes part in %d runs", len(m.jobs))
	}
}

// The limits of a profile are divided, and its files travel along.
func TestAssign(t *testing.T) {
	file := t.TempDir() + "/body"
	if err := os.WriteFile(file, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := profiles.Profile{Client: profiles.Client{Connections: 10, MaxInFlight: 7}, Targets: []profiles.Target{{Name: "a", Requests: []profiles.Request{{BodyFile: file}}}}}
	conns, flying := 0, 0
	for i := range 4 {
		a, err := protocol.Assign(p, i, 4)
		if err != nil {
			t.Fatal(err)
		}
		conns, flying = conns+a.Profile.Client.Connections, flying+a.Profile.Client.MaxInFlight
		if err := a.Unpack(t.TempDir()); err != nil {
			t.Fatal(err)
		}
		name := a.Profile.Targets[0].Requests[0].BodyFile
		if data, err := os.ReadFile(name); name == file || string(data) != "hello" || err != nil {
			t.Errorf("%s has %q, %v", name, data, err)
		}
	}
	if conns != 10 || flying != 7 || p.Targets[0].Requests[0].BodyFile != file {
		t.Errorf("%d connections and %d in flight are divided; the profile is %+v", conns, flying, p)
	}
}

// processorTime is what this process has used so far; 0 where that is not known.
func processorTime() time.Duration {
	samples := []metrics.Sample{{Name: "/cpu/classes/user:cpu-seconds"}, {Name: "/cpu/classes/gc/total:cpu-seconds"}}
	runtime.GC() // they are brought up to date by it
	metrics.Read(samples)
	sum := 0.0
	for _, s := range samples {
		if s.Value.Kind() == metrics.KindFloat64 {
			sum += s.Value.Float64()
		}
	}
	return time.Duration(sum * float64(time.Second))
}

// BenchmarkFleet leads a run of 200 workers and 100 agents in this process for ten
// seconds: what it costs altogether, server, coordinator and members, and how far apart
// the workers began.
func BenchmarkFleet(b *testing.B) {
	if os.Getenv("RAMPLOAD_SCALE") == "" {
		b.Skip("needs RAMPLOAD_SCALE=1: a run of ten seconds with 300 machines in one process")
	}
	const workers, agents, windows = 200, 100, 40
	for range b.N {
		begun, used := time.Now(), processorTime()
		c := newCrew(b, workers, agents, windows)
		cfg := c.config(workers, windows)
		for i := range agents {
			cfg.Agents = append(cfg.Agents, protocol.Request{Agent: fmt.Sprintf("agent-%03d", i+1), Name: fmt.Sprintf("host-%03d", i+1), Every: testWindow})
		}
		log, live, _ := c.lead(b.Context(), cfg, nil)
		scheduled, sent, unsent := sums(log)
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		b.ReportMetric(100*(processorTime()-used).Seconds()/time.Since(begun).Seconds()/(workers+agents), "%core/machine")
		b.ReportMetric(float64(memory.HeapInuse)/(workers+agents)/1024, "KB/machine")
		b.ReportMetric(float64(len(log.Takeovers)), "lost")
		var worst time.Duration
		for _, h := range log.Header.Hosts {
			if h.ClockError != nil {
				worst = max(worst, *h.ClockError)
			}
		}
		b.ReportMetric(float64(worst.Microseconds())/1000, "ms-skew")
		if scheduled != sent+unsent || live.scheduled != scheduled {
			b.Errorf("%d scheduled, %d sent, %d unsent; live %d", scheduled, sent, unsent, live.scheduled)
		}
		c.close()
	}
}

// TestMeetWaitsForItsServer starts the server after the run that wants it.
func TestMeetWaitsForItsServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	there := profiles.Fleet{NATS: "nats://" + l.Addr().String(), Within: time.Minute}
	tried := make(chan error, 1)
	go func() { // the first who dials finds nobody
		c, err := l.Accept()
		if err == nil {
			c.Close()
		}
		l.Close()
		var server *bus.Server
		if err == nil {
			server, err = bus.StartServer(bus.ServerConfig{Listen: l.Addr().String(), Store: t.TempDir()})
		}
		if err == nil {
			t.Cleanup(server.Close)
		}
		tried <- err
	}()
	m, err := Meet(t.Context(), there, "", nil)
	if err := <-tried; err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	m.Close(true)
	there.NATS, there.Within = "nats://127.0.0.1:1", 0
	if _, err := Meet(t.Context(), there, "", nil); err == nil {
		t.Error("a server that is not there was waited for")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	there.Within = time.Minute
	if _, err := Meet(ctx, there, "", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
