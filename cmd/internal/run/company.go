package run

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/ramp"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/fleet"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/cmd/internal/fleet/spool"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/cmd/internal/watch"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/runlog"
)

// company is everybody who takes part in a run over the bus. A nil company is a run
// without.
type company struct {
	meeting *fleet.Meeting
	lead    *fleet.Lead
	loader  *fleet.Loader // nil: this machine sends the load
	also    *ownRecord
}

// gatherCompany finds those who take part in a run; nil if it needs nobody. store is
// the folder for the own server's streams.
func gatherCompany(ctx context.Context, p profiles.Profile, plan loadPlan, id attack.RunID, opt Options, store string, warn func(string)) (*company, error) {
	if !fleet.Needed(p) {
		return nil, nil
	}
	meeting, err := fleet.Meet(ctx, p.Fleet, store, warn)
	if err != nil {
		return nil, console.NotRun(err)
	}
	lead, err := fleet.Gather(ctx, leadConfig(meeting, p, plan, id, opt, warn))
	if err != nil {
		meeting.Close(true)
		if ctx.Err() != nil {
			return nil, errNothingSent
		}
		return nil, console.NotRun(err)
	}
	c := &company{meeting: meeting, lead: lead}
	if p.Fleet.Workers > 0 {
		c.loader = lead.Loader(p.Client.Timeout)
	}
	return c, nil
}

// leadConfig is what leading the run of a profile needs.
func leadConfig(m *fleet.Meeting, p profiles.Profile, plan loadPlan, id attack.RunID, opt Options, warn func(string)) fleet.LeadConfig {
	var agents []protocol.Request
	for _, h := range p.Hosts {
		if h.Agent.Name != "" {
			r := watch.RequestFor(h, p.Targets, id.String(), opt.SampleEvery, opt.Trace)
			r.Agent = h.AgentName()
			agents = append(agents, r)
		}
	}
	header := newHeader(p, id, time.Time{}, opt.Label, &watch.Watched{TargetHosts: make([][]string, len(p.Targets))})
	header.Profile = "" // the coordinator's record has it
	return fleet.LeadConfig{
		Conn: m.Conn, Beats: m.Beats, Run: id.String(), Workers: p.Fleet.Workers, Agents: agents,
		Version: console.Version(), Within: p.Fleet.Within, Targets: len(p.Counted()), Window: input.WindowInterval, Warn: warn,
		Assign: func(slice, of int) (protocol.Assignment, error) {
			a, err := protocol.Assign(plan.Profile, slice, of)
			a.Header, a.Search, a.SampleEvery, a.Trace = header, plan.Growing != nil, opt.SampleEvery, opt.Trace
			return a, err
		},
		Missed: func(slice, of int, from, to int32) ([][]uint64, error) {
			cfg := ramp.Config{Profile: plan.Profile, RunID: id, Window: input.WindowInterval, Schedule: plan.Growing, Slice: ramp.Slice{Index: uint64(slice), Of: uint64(of)}}
			windows, err := ramp.Missed(cfg, from, to)
			due := make([][]uint64, max(to-from, 0))
			for _, w := range windows {
				due[w.Index-from] = append(due[w.Index-from], w.Scheduled)
			}
			return due, err
		},
	}
}

// sharedLimits refuses what cannot be divided among the workers of a profile.
func sharedLimits(p profiles.Profile) error {
	n := p.Fleet.Workers
	switch {
	case p.Client.Connections > 0 && p.Client.Connections < n:
		return fmt.Errorf("fleet: %d workers cannot share %d connections: raise client.connections, or lower fleet.workers", n, p.Client.Connections)
	case p.Client.MaxInFlight > 0 && p.Client.MaxInFlight < n:
		return fmt.Errorf("fleet: %d workers cannot share %d requests in flight: raise client.max-in-flight, or lower fleet.workers", n, p.Client.MaxInFlight)
	}
	return nil
}

// sends reports whether others send the load.
func (c *company) sends() bool { return c != nil && c.loader != nil }

// start agrees on the start of the load.
func (c *company) start(ctx context.Context, at time.Time) error {
	if c == nil {
		return nil
	}
	if err := c.lead.Start(ctx, at); err != nil {
		c.abandon()
		return console.NotRun(fmt.Errorf("start together: %w", err))
	}
	return nil
}

// abandon ends a run that did not begin.
func (c *company) abandon() {
	if c != nil {
		c.lead.Abandon()
		c.meeting.Close(true)
	}
}

// follow keeps the records of all as parts of the run's.
func (c *company) follow(ctx context.Context, log *runlog.Writer, first int, seen func([]probe.Sample), o fleet.Observer) {
	if c != nil {
		c.lead.Follow(ctx, log, c.also.writer(), first, seen, o)
	}
}

// end waits for the ends of all records, and returns how the connections were.
func (c *company) end() ([]probe.Status, bool) {
	if c == nil {
		return nil, true
	}
	return c.lead.End()
}

// leave ends what is left of the company. What did not arrive stays where it is.
func (c *company) leave(trailer runlog.Trailer, complete bool, logPath string, warn func(string)) {
	if c == nil {
		return
	}
	c.also.close(trailer)
	c.lead.Forget(complete)
	c.meeting.Close(complete)
	if !complete {
		warn(fmt.Sprintf("not all records have arrived: rampload report --resume %s adds what others still hold, once they are back", logPath))
	}
}

// failed is why the load of the workers ended before its time; nil: it did not, or was
// interrupted.
func (c *company) failed() error {
	if !c.sends() {
		return nil
	}
	return c.loader.Failed()
}

// ownRecord is the coordinator's own record in the stream of its run: with it, a run
// whose coordinator was killed is put together again.
type ownRecord struct {
	spool *spool.Spool
	log   *runlog.Writer
	stop  context.CancelFunc
	done  chan error
}

// keep begins the coordinator's own record in the stream.
func (c *company) keep(h runlog.Header, run string) error {
	if c == nil {
		return nil
	}
	kept, err := spool.New("", 64<<20)
	if err != nil {
		return err
	}
	log, err := runlog.NewWriter(kept, h)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	c.also = &ownRecord{spool: kept, log: log, stop: stop, done: make(chan error, 1)}
	go func() {
		c.also.done <- kept.Deliver(ctx, func(offset int64, data []byte) <-chan error { return c.meeting.Conn.Append(run, 0, offset, data) })
	}()
	return nil
}

func (o *ownRecord) writer() *runlog.Writer {
	if o == nil {
		return nil
	}
	return o.log
}

// ownIn is how long the end of the own record may take to be safe.
const ownIn = 5 * time.Second

func (o *ownRecord) close(trailer runlog.Trailer) {
	if o == nil {
		return
	}
	_ = o.log.Close(trailer) // the run log has it
	o.spool.Close()
	late := time.NewTimer(ownIn)
	defer late.Stop()
	select {
	case <-o.done: //nolint:errcheck // what ended it is in the log
	case <-late.C:
	}
	o.stop()
}

// recorder is what a session of a company records to: the run's log, and the own
// record in the stream. What workers counted stands in their own records.
func (c *company) recorder(to session.Recorder) session.Recorder {
	if c == nil {
		return to
	}
	return &twice{to, c.also.writer(), c.sends()}
}

// twice records everything twice, and leaves windows and failures to the workers.
type twice struct {
	session.Recorder
	also  *runlog.Writer
	sends bool
}

// Address records an address that this machine's load goes to.
func (t *twice) Address(a attack.Address) {
	if !t.sends {
		t.Recorder.Address(a)
		t.also.Address(a)
	}
}

// Window records a window of this machine's load.
func (t *twice) Window(w attack.Window) {
	if !t.sends {
		t.Recorder.Window(w)
		t.also.Window(w)
	}
}

// Failure records a failure of this machine's load.
func (t *twice) Failure(f attack.Failure) {
	if !t.sends {
		t.Recorder.Failure(f)
		t.also.Failure(f)
	}
}

// Samples records readings.
func (t *twice) Samples(s []probe.Sample) {
	t.Recorder.Samples(s)
	t.also.Samples(s)
}

// Event records an event.
func (t *twice) Event(e probe.Event) {
	t.Recorder.Event(e)
	t.also.Event(e)
}

// step records a load of a search.
func (c *company) step(log *runlog.Writer) func(attack.Step) {
	return func(s attack.Step) {
		log.Step(s)
		if w := c.writer(); w != nil {
			w.Step(s)
		}
	}
}

func (c *company) writer() *runlog.Writer {
	if c == nil {
		return nil
	}
	return c.also.writer()
}

// StreamFolder is where the own server of a run keeps its streams: beside the run log.
func StreamFolder(logPath string) string { return strings.TrimSuffix(logPath, ".runlog") + ".stream" }

// leads is who leads the company; nil for none.
func (c *company) leads() *fleet.Lead {
	if c == nil {
		return nil
	}
	return c.lead
}
