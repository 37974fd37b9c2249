package fleet

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// An agent that is started again in the middle of a run goes on with it, and what it
// missed is told; the run is whole.
func TestAgentIsStartedAgain(t *testing.T) {
	const windows = 44
	c := newCrew(t, 1, 0, windows)
	agent := func() *Member {
		return &Member{Name: "agent-001", Watch: func(_ context.Context, r protocol.Request, clock probe.Clock) (probe.Sources, []runlog.Host) {
			return probe.Sources{Samplers: []probe.Sampler{&counting{host: r.Name, clock: clock}}}, []runlog.Host{{Name: r.Name}}
		}}
	}
	c.serve(agent())
	cfg := c.config(1, windows)
	cfg.Agents = []protocol.Request{{Agent: "agent-001", Name: "db-1", Every: testWindow}}
	var warned []string
	var mu sync.Mutex
	cfg.Warn = func(text string) {
		mu.Lock()
		defer mu.Unlock()
		warned = append(warned, text)
	}
	var once sync.Once
	var again sync.WaitGroup
	log, _, statuses := c.lead(t.Context(), cfg, func(index int32) {
		if index < 6 {
			return
		}
		once.Do(func() {
			again.Go(func() { // as a process that is killed, and started again by its supervisor
				c.members[1].conn.Close()
				c.members[1].beats.Close()
				c.serve(agent())
			})
		})
	})
	again.Wait()
	said := map[probe.State]string{}
	for _, s := range statuses {
		if s.Source.Name == string(runlog.RoleAgent) {
			said[s.State] = s.Reason
		}
	}
	if _, measured := said[probe.Measured]; !measured || !strings.Contains(said[probe.Partial], "it was started again: nothing was seen of its host from") {
		t.Errorf("%+v", statuses)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(warned) != 1 || !strings.Contains(warned[0], "agent of db-1: it was started again") {
		t.Errorf("told: %q", warned)
	}
	parts := 0
	for _, p := range log.Parts {
		if p.Header.Role == runlog.RoleAgent {
			parts++
		}
	}
	var last time.Duration
	for _, s := range log.Series {
		if s.Metric.Host == "db-1" {
			last = s.At[len(s.At)-1]
		}
	}
	if parts != 2 || last < windows*testWindow-3*time.Second {
		t.Errorf("%d records of the agent, the last reading at %s", parts, last)
	}
}
