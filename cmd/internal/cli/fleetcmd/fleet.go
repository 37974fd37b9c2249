// Package fleetcmd is the commands of those who take part in a run of several machines:
// workers, agents, and what a team needs for them.
package fleetcmd

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/bus"
	"github.com/rampload/rampload/cmd/internal/console"
)

func NewFleet(env console.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fleet",
		Short: "Several machines for one run: how it works, and credentials for a team",
		Long:  fleetText,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newFleetCreds(env), newFleetManifests(env))
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
Workers on one machine share its source ports, and the client.local-addresses that
are its own; the warnings before a run count all of them.

Nothing that was recorded is lost. A worker that is gone for 1.25 s is given up: two
seconds after its last sign another one sends its slice, and what was due in between
is unsent, and marked. When the coordinator is gone, workers stop within two seconds;
rampload report --resume RUNLOG makes the report of what was recorded. An agent whose
connection is cut goes on, and delivers later; one that is started again goes on with
the run, and the report says what it missed. A server that is gone for more than a
second ends the load, for nobody could stop the workers: all keep what they recorded,
and --resume collects it when the server is back.

A worker sends only to its own --allow-target, and listens only where its own
--allow-callback says; no order makes it open a file of its machine. An agent shows
what its own --expose, --process and --log say. Everybody uses the same rampload: one
that understands other orders is left out, with a line that names both versions.

Clocks need not agree. They are compared four times a second, by four timestamps and
the shortest round trip; the report says within what the times of each host are right,
and beyond 0.5 s nothing is ranked across hosts.

How far it goes, as arithmetic:
  - Engine direct takes about 8 µs of CPU for a small request on a keep-alive
    connection. 1,000,000 requests/s are 8 cores, and 12 at the 70 % beyond which a
    worker warns: six workers of two cores send 170,000/s each.
  - A worker closes at most as many connections as it has ports: 28,232 by default,
    each busy for 60 s after it, are 470 new connections/s to one target address, and
    64,511 (net.ipv4.ip_local_port_range) are 1,075/s. 1,000,000/s with a connection
    for each request would take a thousand source addresses: that is where it ends.
  - A worker's record is about 5 KB/s for one target. 200 workers and 100 agents are
    some 1.5 MB/s through the server, in at least four pieces a second from each. The
    server syncs each piece to its disk: 1,200 syncs a second need an SSD.
  - An agent takes an eighth of a core and 105 MB of a host with 20,000 sockets while a
    run goes on, and sends 3 KB/s; between runs it is silent (make bench-agent).
  - The coordinator adds up a window of 200 workers in about 5 ms, four times a
    second, on one core that others share (BenchmarkMerge in cmd/internal/fleet/total).`

func newFleetCreds(env console.Env) *cobra.Command {
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
			if err := console.ExactArgs("rampload fleet creds team --host nats.internal", 1)(nil, args); err != nil {
				return err
			}
			if len(hosts) == 0 {
				return console.Usage(errors.New("the server needs a certificate: name it as workers and agents will, with --host NAME or ADDRESS (repeatable)"))
			}
			if valid < time.Minute {
				return console.Usage(fmt.Errorf("--valid %s is too short: write a time such as 2160h", valid))
			}
			hosts = append(hosts, "localhost", "127.0.0.1", "::1")
			if err := bus.WriteSet(bus.SetConfig{Dir: args[0], Hosts: hosts, Valid: valid, Now: time.Now()}); err != nil {
				return console.Usage(err)
			}
			return console.Printed(fmt.Fprintf(env.Stdout, `Credentials for a team are in %[1]s, valid until %[2]s.

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
