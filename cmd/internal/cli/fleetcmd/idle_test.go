package fleetcmd

import (
	"bytes"
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampload/rampload/cmd/internal/bus"
	"github.com/rampload/rampload/cmd/internal/fleet"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// An agent that waits for a run for a day says nothing, grows by nothing and opens
// nothing, and then takes part in one. The NATS client shares timers within a process,
// so that no other test of this package may use it outside of simulated time.
func TestIdleForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, err := bus.StartServer(bus.ServerConfig{Store: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		ctx, stop := context.WithCancel(context.Background())
		opened := 0
		agent := &fleet.Member{
			Bus: bus.Config{Own: server}, Name: "db-1", Clock: probe.NewClock(time.Now().Add(-time.Hour)),
			Watch: func(context.Context, protocol.Request, probe.Clock) (probe.Sources, []runlog.Host) {
				opened++
				return probe.Sources{}, []runlog.Host{{Name: "db-1"}}
			},
		}
		served := make(chan error, 1)
		go func() { served <- agent.Serve(ctx) }()

		time.Sleep(time.Minute) // it has found its place
		count := func() (goroutines int, messages int64) {
			n, err := server.Received()
			if err != nil {
				t.Fatal(err)
			}
			return runtime.NumGoroutine(), n
		}
		goroutines, messages := count()
		time.Sleep(24 * time.Hour)
		after, said := count()
		if after > goroutines+2 || said != messages || opened != 0 {
			t.Errorf("in a day: %d goroutines became %d, %d messages, %d times something was opened", goroutines, after, said-messages, opened)
		}

		// Then a run comes.
		var conns [2]*bus.Conn
		for i := range conns {
			if conns[i], err = bus.Dial(bus.Config{Own: server, Role: bus.RoleCoordinator}); err != nil {
				t.Fatal(err)
			}
			defer conns[i].Close()
		}
		lead, err := fleet.Gather(t.Context(), fleet.LeadConfig{
			Conn: conns[0], Beats: conns[1], Run: "0123456789abcdef", Targets: 1, Window: 250 * time.Millisecond,
			Agents: []protocol.Request{{Agent: "db-1", Name: "db-1", Every: 250 * time.Millisecond}}, Warn: func(text string) { t.Log(text) },
		})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now().Add(time.Second)
		var file bytes.Buffer
		log, err := runlog.NewWriter(&file, runlog.Header{RunID: "1", Role: runlog.RoleCoordinator, Started: start, Interval: 250 * time.Millisecond, Hosts: []runlog.Host{{Name: "local"}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := lead.Start(t.Context(), start); err != nil {
			t.Fatal(err)
		}
		lead.Follow(t.Context(), log, nil, 0, nil, nil)
		time.Sleep(10 * time.Second)
		statuses, complete := lead.End()
		lead.Forget(complete)
		if !complete || len(statuses) != 1 || statuses[0].State != probe.Measured || opened != 1 {
			t.Errorf("complete %v, %+v, failed %v", complete, statuses, lead.Failed())
		}
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}
