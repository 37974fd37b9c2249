package fleetcmd

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/ramp"
	"github.com/rampload/rampload/cmd/internal/bus"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/fleet"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/cmd/internal/fleet/roster"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/plan"
	"github.com/rampload/rampload/cmd/internal/preflight"
	"github.com/rampload/rampload/cmd/internal/run"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/cmd/internal/watch"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/host"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/runlog"
)

func NewWorker(env console.Env) *cobra.Command {
	var (
		daemon             daemonFlags
		targets, callbacks []string
	)
	cmd := &cobra.Command{
		Use:   "worker --nats URL --allow-target URL",
		Short: "Send load for runs that are led from another machine",
		Long: `worker waits for runs of a profile with fleet: {workers: N} and sends an equal slice
of their load from this machine. It connects to the NATS server of the fleet by
itself, listens to nothing but what --allow-callback names, and comes back after
whatever was restarted. It stops within two seconds when the machine that leads the
run is gone.

It sends only to targets that --allow-target names, whoever asks: credentials that
are stolen are no cannon. What it polls or hears of completions is bound by it too.`,
		Example: `  rampload worker --nats tls://nats.internal:4222 --creds worker.creds --allow-target http://orders.internal:8080
  rampload worker --nats tls://nats.internal:4222 --creds worker.creds --allow-target '*.shop.internal:443' --print-unit

  fleet: {workers: 4, nats: tls://nats.internal:4222, creds: coordinator.creds}`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if daemon.nats == "" {
				return console.Usage(errors.New("a worker needs the fleet's NATS server: name it with --nats URL"))
			}
			if len(targets) == 0 {
				return console.Usage(errors.New("a worker sends only to targets that it is told to: name them with --allow-target, such as --allow-target http://orders.internal:8080 (repeatable)"))
			}
			allowed, err := parseAllowance(targets, callbacks)
			if err != nil {
				return console.Usage(err)
			}
			_, _ = host.RaiseNoFile()
			return daemon.serve(cmd, env, bus.RoleWorker, &fleet.Member{
				Send: &sender{allowed}, Info: fleet.AgentInfo{Rampload: console.Version(), Kernel: run.KernelRelease()},
				About: map[string]string{
					"cpus": strconv.Itoa(runtime.NumCPU()), "targets": strings.Join(targets, " "), roster.Machine: machineID(), roster.Network: networkID(),
				},
			})
		},
	}
	daemon.register(cmd.Flags(), bus.RoleWorker)
	cmd.Flags().StringArrayVar(&targets, "allow-target", nil, "send to this target: `URL` or HOST:PORT, * for a part of a name (repeatable)")
	cmd.Flags().StringArrayVar(&callbacks, "allow-callback", nil, "listen at `ADDRESS` where a profile has completion: {via: callback}, such as 0.0.0.0:9099 (repeatable; default nowhere)")
	return cmd
}

// sender sends load for runs. It implements fleet.Sender.
type sender struct{ allowed allowance }

// Prepare finds out whether the load can be sent from here.
func (s *sender) Prepare(ctx context.Context, a protocol.Assignment) (warnings []string, err error) {
	p := a.Profile
	for _, t := range p.Targets {
		if err := s.allowed.target(t); err != nil {
			return nil, err
		}
	}
	if p.Client.Proxy {
		return nil, errors.New("client.proxy lets the environment of a worker decide where its load goes: leave it out")
	}
	if p.Client.LocalAddrs, err = ownSources(p.Client.LocalAddrs, watch.LocalAddrs(), a.Beside); err != nil {
		return nil, err
	}
	if _, err := plan.Of(p); err != nil {
		return nil, err
	}
	share := p // what planWarnings looks at is this worker's slice of the rates
	share.Load = profiles.Scale(p, 1/float64(a.Of)).Load
	warnings = preflight.PlanWarnings(share, preflight.ReadGeneratorLimits().Shared(a.Beside.Of, a.Beside.Machine))
	for _, t := range p.Targets {
		for _, base := range t.Bases() {
			if err := preflight.Knock(ctx, p, t, base); err != nil {
				return nil, err
			}
		}
	}
	return warnings, preflight.ReadSchemas(ctx, p)
}

// Load sends a slice and writes its record.
func (s *sender) Load(ctx context.Context, a protocol.Assignment, slice fleet.Slice) error {
	p := a.Profile
	var err error
	if p.Client.LocalAddrs, err = ownSources(p.Client.LocalAddrs, watch.LocalAddrs(), a.Beside); err != nil {
		return err
	}
	if err := preflight.ReadSchemas(ctx, p); err != nil {
		return err
	}
	plan, err := plan.Of(p)
	if err != nil {
		return err
	}
	if slice.Schedule != nil {
		plan.Growing, plan.Rate, plan.End = slice.Schedule, slice.Schedule.Rate, slice.Schedule.End
	}
	var id attack.RunID
	if _, err := hex.Decode(id[:], []byte(a.Header.RunID)); err != nil {
		return fmt.Errorf("read the id of the run: %w", err)
	}
	loader, err := plan.Engine(ramp.Config{RunID: id, Start: func() time.Time { return slice.Start }, From: slice.From, Slice: ramp.Slice{Index: uint64(slice.Index), Of: uint64(slice.Of)}})
	if err != nil {
		return err
	}
	clock := probe.NewClock(slice.Start)
	w := &watch.Watched{}
	if slice.Own {
		addrs := make([][]netip.Addr, len(p.Targets)) // the hosts of targets have agents, or are the coordinator's
		w = watch.OpenHosts(ctx, nil, p.Targets, addrs, clock, a.Trace, nil)
	}
	h := a.Header
	h.Started, h.Slice = slice.Start.UTC().Round(0), slice.Index
	h.Rampload, h.Go, h.OS, h.Kernel, h.CPUs = console.Version(), runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH, run.KernelRelease(), runtime.NumCPU()
	h.Host, _ = os.Hostname()
	h.Hosts, h.Generator.Connections, h.Generator.MaxInFlight, h.Generator.NoFile = w.Hosts, p.Client.Connections, p.Client.MaxInFlight, w.NoFile
	log, err := runlog.NewWriter(slice.Out, h)
	if err != nil {
		w.Close()
		return err
	}
	outcome, err := session.Run(ctx, session.Config{
		Clock: clock, Loader: loader, Samplers: w.Samplers, Watchers: w.Watchers, Recorder: log, SampleEvery: a.SampleEvery, CoolDown: run.CoolDown,
		Targets: run.TargetNames(p), Roles: run.Roles(p), Interval: input.WindowInterval, Offered: plan.Rate,
	})
	ranOut, _ := run.UsedUp(outcome.Summary, p)
	trailer := runlog.Trailer{Ended: outcome.Summary.Ended, Interrupted: outcome.Summary.Interrupted, Sources: slices.Concat(ranOut, outcome.Sources, w.Missing)}
	if err != nil {
		trailer.Error = err.Error()
	}
	return errors.Join(err, log.Close(trailer))
}
