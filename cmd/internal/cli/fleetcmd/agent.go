package fleetcmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/bus"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/fleet"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/cmd/internal/run"
	"github.com/rampload/rampload/cmd/internal/watch"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/host"
	"github.com/rampload/rampload/probe/machine"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/rules"
	"github.com/rampload/rampload/report/runlog"
)

func NewAgent(env console.Env) *cobra.Command {
	var (
		stdio   bool
		daemon  daemonFlags
		exposed exposure
	)
	cmd := &cobra.Command{
		Use:   "agent --nats URL | --stdio",
		Short: "Watch this host for runs on other machines",
		Long: `agent watches this host for runs that send their load from other machines. It
sends none itself, listens to nothing, and executes nothing that it is told.

With --nats it waits for runs: it connects to the NATS server of a fleet by itself,
and comes back to it after whatever was restarted. Until a run asks for it, it does
nothing. A profile names it with agent: nats, or by its --name. It shows no more
than --expose, --process and --log say: no log at all, unless --log names it.

With --stdio it is started by a run, where its profile has a host with agent: ssh,
agent: ssh://user@host:port, or agent: {command: [...]}, and ends with the
connection. As root it also traces who sent each reset; without, the report says
what that leaves out.`,
		Example: `  rampload agent --nats tls://nats.internal:4222 --creds agent.creds --name orders-1
  rampload agent --nats tls://nats.internal:4222 --creds agent.creds --print-unit > /etc/systemd/system/rampload-agent.service

  hosts:
    - {name: orders-1, agent: nats, processes: [{listen: 8080}]}
    - {name: orders-2, agent: ssh}
    - {name: pod, agent: {command: [kubectl, exec, -i, orders-1, --, rampload, agent, --stdio]}}`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			exposed.anyLog = stdio && len(exposed.logs) == 0
			watch, err := exposed.watch()
			if err != nil {
				return console.Usage(err)
			}
			_, _ = host.RaiseNoFile() // it watches less without
			info := fleet.AgentInfo{Rampload: console.Version(), Kernel: run.KernelRelease()}
			switch {
			case stdio && daemon.nats != "":
				return console.Usage(errors.New("--stdio is for an agent that a run starts, --nats for one that waits for runs: leave out one of them"))
			case stdio:
				err := fleet.Serve(cmd.Context(), env.Stdin, env.Stdout, machine.SinceBoot(), watch, info)
				if err != nil && !errors.Is(err, context.Canceled) {
					return console.NotRun(err)
				}
				return nil
			case daemon.nats == "":
				return console.Usage(errors.New("an agent needs a connection: name the fleet's server with --nats URL; or write agent: ssh at a host of the profile, and the run starts rampload agent --stdio there"))
			}
			return daemon.serve(cmd, env, bus.RoleAgent, &fleet.Member{Watch: watch, Info: info})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&stdio, "stdio", false, "speak with the run over standard input and output")
	daemon.register(f, bus.RoleAgent)
	f.StringSliceVar(&exposed.kinds, "expose", exposures, "what runs may see: `KINDS` of host (its resources and counters), processes, trace (who sends resets, and with what errors services answer each other), logs (lines of the files that a run names; with --stdio also of those that the processes write)")
	f.StringArrayVar(&exposed.logs, "log", nil, "with --nats: let runs read this log: `FILE`, a glob in quotes, journal=UNIT or container=NAME (repeatable; default none)")
	f.StringArrayVar(&exposed.processes, "process", nil, "let runs see these processes only: `KIND=VALUE`, such as listen=8080, name=nginx, unit=orders.service, container=orders, pod=shop/orders-* (repeatable)")
	return cmd
}

// exposures are the kinds of what an agent can show.
var exposures = []string{"host", "processes", "trace", "logs"}

// exposure is what the owner of a host lets runs see of it.
type exposure struct {
	kinds     []string
	processes []string
	logs      []string // files, globs, journal=UNIT, container=NAME
	anyLog    bool     // whoever started the agent may read what it reads
}

// allowsLog reports whether an allowed file, glob, journal=UNIT or container=NAME covers a
// log that a run names. A glob is covered as its text is, for each of its parts then finds no more than
// that of the allowed one. No other machine is asked for a run: a store never is.
func allowsLog(allowed string, l profiles.Log) bool {
	if l.Journal != "" {
		return allowed == "journal="+l.Journal
	}
	if l.Container != "" {
		return allowed == "container="+l.Container
	}
	if l.File == "" || filepath.Clean(l.File) != l.File {
		return false
	}
	matches, err := filepath.Match(allowed, l.File)
	return allowed == l.File || err == nil && matches && !strings.ContainsAny(l.File, `[\`)
}

// nameOf is how the owner of a host allows a log.
func nameOf(l profiles.Log) string {
	switch {
	case l.Journal != "":
		return "journal=" + l.Journal
	case l.Container != "":
		return "container=" + l.Container
	case l.URL != "":
		return l.URL
	}
	return l.File
}

// watch returns what opens the sources that a run asks for, as far as they are exposed.
func (e *exposure) watch() (fleet.Watch, error) {
	for _, kind := range e.kinds {
		if !slices.Contains(exposures, kind) {
			return nil, fmt.Errorf("--expose %s: write some of %s", kind, strings.Join(exposures, ","))
		}
	}
	var only []profiles.Process
	for _, text := range e.processes {
		p, err := rules.ParseProcess(text)
		if err != nil {
			return nil, fmt.Errorf("--process %s: %w", text, err)
		}
		only = append(only, p)
	}
	shows := func(kind string) bool { return slices.Contains(e.kinds, kind) }
	return func(ctx context.Context, r protocol.Request, clock probe.Clock) (probe.Sources, []runlog.Host) {
		var hidden []probe.Status
		hide := func(source, needs string) {
			reason := &probe.Unsupported{What: source, Reason: "the agent does not show it", Needs: "its " + needs}
			hidden = append(hidden, probe.Status{Source: probe.Source{Host: r.Name, Name: source}, State: probe.NotMeasured, Reason: reason.Error()})
		}
		r.Processes = slices.DeleteFunc(slices.Clone(r.Processes), func(p profiles.Process) bool {
			shown := shows("processes") && (len(only) == 0 || slices.Contains(only, p))
			if !shown {
				hide("process "+p.String(), "--expose processes and --process "+p.String())
			}
			return !shown
		})
		r.Logs = slices.DeleteFunc(slices.Clone(r.Logs), func(l profiles.Log) bool {
			shown := shows("logs") && (e.anyLog || slices.ContainsFunc(e.logs, func(allowed string) bool { return allowsLog(allowed, l) }))
			if !shown {
				hide("log "+nameOf(l), "--expose logs and --log "+nameOf(l))
			}
			return !shown
		})
		if r.Trace && !shows("trace") {
			r.Trace = false
			hide("reset trace", "--expose trace")
		}
		whole := shows("host")
		if !whole {
			hide("host", "--expose host")
		}
		sources, hosts := watchThis(ctx, r, clock, whole, shows("logs") && e.anyLog)
		sources.Missing = append(sources.Missing, hidden...)
		return sources, hosts
	}, nil
}

// watchThis opens what a run asks an agent to watch: this machine, under the name
// that the profile gives it, or without whole some of its processes. Written lets it
// follow what these write where the profile names no log.
func watchThis(ctx context.Context, r protocol.Request, clock probe.Clock, whole, written bool) (probe.Sources, []runlog.Host) {
	m := machine.Machine{Clock: clock, Name: r.Name}
	if !whole {
		m.Name = ""
	}
	entry := profiles.Host{Name: r.Name, Processes: r.Processes}
	sources := m.Host(entry).Open(ctx, probe.Selection{Processes: r.Processes, Logs: r.Logs, Written: written && len(r.Logs) == 0 && !r.NoLogs})
	addrs := watch.LocalAddrs()
	if r.Trace {
		m.Name = r.Name
		traced := []machine.Traced{{Entry: entry, Addrs: addrs}}
		trace, packets, _ := m.Resets(traced, r.Ports, r.Chained)
		sources.Watchers = append(sources.Watchers, trace, packets)
		sources.Watchers = append(sources.Watchers, m.Replies(traced, r.Ports)...)
	}
	return sources, []runlog.Host{{Name: r.Name, Addrs: watch.WithoutLoopback(addrs)}}
}
