package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/fleet"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/host"
	"github.com/rampload/rampload/probe/machine"
	"github.com/rampload/rampload/probe/waiting"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/runlog"
)

func newAgent(env Env) *cobra.Command {
	var stdio bool
	cmd := &cobra.Command{
		Use:   "agent --stdio",
		Short: "Watch this host for a run on another machine (started by that run)",
		Long: `agent watches this host for a run that sends its load from another machine. It
sends none itself, executes nothing that it is told, and ends with the connection.

A run starts it by itself, where its profile has a host with agent: ssh,
agent: ssh://user@host:port, or agent: {command: [...]}. As root it also traces who
sent each reset; without, the report says what that leaves out.`,
		Example: `  hosts:
    - {name: orders-1, agent: ssh, processes: [{listen: 8080}]}
    - {name: pod, agent: {command: [kubectl, exec, -i, orders-1, --, rampload, agent, --stdio]}}`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !stdio {
				return usage(errors.New("an agent needs a connection: write agent: ssh at a host of the profile, and the run starts rampload agent --stdio there"))
			}
			_, _ = host.RaiseNoFile() // it watches less without
			err := fleet.Serve(cmd.Context(), env.Stdin, env.Stdout, machine.SinceBoot(), watchThis, fleet.AgentInfo{Rampload: Version(), Kernel: kernelRelease()})
			if err != nil && !errors.Is(err, context.Canceled) {
				return notRun(err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&stdio, "stdio", false, "speak with the run over standard input and output")
	return cmd
}

// watchThis opens what a run asks an agent to watch: this machine, under the name
// that the profile gives it.
func watchThis(ctx context.Context, r fleet.Request, clock probe.Clock) (probe.Sources, []runlog.Host) {
	m := machine.Machine{Clock: clock, Name: r.Name, Sharing: &waiting.Sharing{}}
	entry := profiles.Host{Name: r.Name, Processes: r.Processes}
	sources := m.Host(entry).Open(ctx, probe.Selection{Processes: r.Processes})
	addrs := localAddrs()
	if r.Trace {
		trace, packets, _ := m.Resets([]machine.Traced{{Entry: entry, Addrs: addrs}}, r.Ports, r.Chained)
		sources.Watchers = append(sources.Watchers, trace, packets)
	}
	return sources, []runlog.Host{{Name: r.Name, Addrs: withoutLoopback(addrs)}}
}
