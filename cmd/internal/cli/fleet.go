package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/bus"
)

func newFleet(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fleet",
		Short: "Several machines for one run: how it works, and credentials for a team",
		Long:  fleetText,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newFleetCreds(env))
	return cmd
}

// fleetText is what a team has to know before it uses several machines.
const fleetText = `A run can be carried out by several machines. They meet at a NATS server:

  coordinator   rampload --profile peak.yaml   leads the run, makes the report
  workers       rampload worker                send equal slices of the load
  agents        rampload agent                 watch the hosts of the targets

Workers and agents connect to the server by themselves and listen to nothing. The
server is the coordinator's own (fleet: {listen: ...}) or one that is there
(fleet: {nats: ...}); it needs JetStream. Beyond loopback it wants credentials:
rampload fleet creds makes a set for a team.

Each worker sends the requests whose number is its own modulo the number of workers,
from one agreed start, with its share of connections and of requests in flight.
What it counts is added up exactly: the report of a fleet is that of one machine.

Nothing that was recorded is lost. A worker that is gone for 1.25 s is given up: two
seconds after its last sign another one sends its slice, and what was due in between
is unsent, and marked. When the coordinator is gone, workers stop within two seconds;
rampload report --resume RUNLOG makes the report of what was recorded. An agent whose
connection is cut goes on, and delivers later.

How far it goes. A window of a worker is about 1.5 KB and a target, four times a
second: 200 workers and 100 agents write about 2.5 MB/s through the server, and cost
the coordinator about a third of one core (see BenchmarkFleet in
cmd/internal/fleet). For 1,000,000 requests/s at 60,000/s a worker of two cores (engine
direct, keep-alive, small answers) 17 workers are enough. The targets end first:
64,000 ports a worker and target address bound new connections to about 1,000/s a
worker, so 1,000,000/s without keep-alive would take a thousand source addresses.
What ends next is the server's disk: with sync_interval: always, each record costs
one sync, so keep its streams on an SSD beyond some 50 workers.`

func newFleetCreds(env Env) *cobra.Command {
	var (
		hosts []string
		valid time.Duration
	)
	cmd := &cobra.Command{
		Use:   "creds FOLDER --host NAME",
		Short: "Make credentials for a team: coordinator, workers, agents and their server",
		Long: `creds makes a folder with one file of credentials for each role, the certificate of
the server, and a configuration of nats-server. A worker's and an agent's credentials
let them answer a coordinator and hand on their records, and nothing else. Nobody
needs the keys that signed them again, so they are not kept: to replace credentials,
make a new folder.`,
		Example: `  rampload fleet creds team --host nats.internal
  scp team/worker.creds team/ca.pem worker-1:   and  scp team/agent.creds team/ca.pem orders-1:
  (cd team/server && nats-server -c nats-server.conf)      a server of its own, or
  fleet: {listen: 0.0.0.0:4222, creds: team/coordinator.creds}     the coordinator's`,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := exactArgs("rampload fleet creds team --host nats.internal", 1)(nil, args); err != nil {
				return err
			}
			if len(hosts) == 0 {
				return usage(errors.New("the server needs a certificate: name it as workers and agents will, with --host NAME or ADDRESS (repeatable)"))
			}
			if valid < time.Minute {
				return usage(fmt.Errorf("--valid %s is too short: write a time such as 2160h", valid))
			}
			hosts = append(hosts, "localhost", "127.0.0.1", "::1")
			if err := bus.WriteSet(bus.SetConfig{Dir: args[0], Hosts: hosts, Valid: valid, Now: time.Now()}); err != nil {
				return usage(err)
			}
			return printed(fmt.Fprintf(env.Stdout, `Credentials for a team are in %[1]s, valid until %[2]s.

  on this machine     fleet: {workers: N, listen: 0.0.0.0:4222, creds: %[3]s}
  on each worker      rampload worker --nats tls://%[4]s:4222 --creds worker.creds --allow-target URL
  on each target      rampload agent --nats tls://%[4]s:4222 --creds agent.creds --name NAME

Copy worker.creds or agent.creds and ca.pem there, into one folder; nothing else. For
a server of its own: (cd %[5]s && nats-server -c nats-server.conf), and in the
profile fleet: {workers: N, nats: tls://%[4]s:4222, creds: ...}.
`, args[0], time.Now().Add(valid).UTC().Format("2006-01-02"), filepath.Join(args[0], bus.CredsFile(bus.RoleCoordinator)), hosts[0], filepath.Join(args[0], "server")))
		},
	}
	cmd.Flags().StringArrayVar(&hosts, "host", nil, "`NAME` or address under which the server is reached (repeatable)")
	cmd.Flags().DurationVar(&valid, "valid", 90*24*time.Hour, "how long the credentials are good: `DURATION`")
	return cmd
}
