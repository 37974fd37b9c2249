package fleetcmd

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rampload/rampload/cmd/internal/bus"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/fleet"
	"github.com/rampload/rampload/cmd/internal/fleet/manifests"
	"github.com/rampload/rampload/probe/machine"
	"github.com/rampload/rampload/profiles"
)

// daemonFlags are those of a worker and of an agent that wait for runs.
type daemonFlags struct {
	nats, creds, ca, name, spool string
	unit                         bool
}

func (d *daemonFlags) register(f *pflag.FlagSet, role bus.Role) {
	f.StringVar(&d.nats, "nats", "", "connect to the fleet's NATS server: `URL`, several with commas")
	f.StringVar(&d.creds, "creds", "", "`FILE` with this "+string(role)+"'s credentials, as rampload fleet creds writes it")
	f.StringVar(&d.ca, "ca", "", "`FILE` with the certificates to trust (default ca.pem beside the credentials, else the system's)")
	f.StringVar(&d.name, "name", "", "`NAME` of this "+string(role)+" in runs (default the host's name)")
	f.StringVar(&d.spool, "spool", "", "`FOLDER` for records until they are handed on (default $STATE_DIRECTORY, else a temporary one)")
	f.BoolVar(&d.unit, "print-unit", false, "print a systemd unit for this command instead of running it")
}

// serve waits for runs until the process is told to end.
func (d *daemonFlags) serve(cmd *cobra.Command, env console.Env, role bus.Role, m *fleet.Member) error {
	if d.unit {
		return console.Printed(fmt.Fprint(env.Stdout, d.unitOf(cmd, role)))
	}
	if d.name == "" {
		d.name, _ = os.Hostname()
	}
	if !profiles.IsAgentName(d.name) {
		return console.Usage(fmt.Errorf("--name %q: write letters, digits, dashes and points, such as orders-1", d.name))
	}
	defer env.InOrder()()
	m.Bus = bus.Config{URL: d.nats, Creds: d.creds, CA: d.ca}
	m.Name, m.Clock = d.name, machine.SinceBoot()
	m.Spool = cmp.Or(d.spool, env.Env("STATE_DIRECTORY"), filepath.Join(os.TempDir(), fmt.Sprintf("rampload-%d", os.Getuid()), string(role)+"-"+d.name))
	if m.About == nil {
		m.About = map[string]string{}
	}
	m.About["kernel"] = m.Info.Kernel
	m.Say = func(text string) { fmt.Fprintf(env.Stderr, "rampload %s: %s\n", role, console.Message(text)) }
	err := m.Serve(cmd.Context())
	switch {
	case errors.Is(err, bus.ErrRefused):
		return console.NotRun(err)
	case err != nil && cmd.Context().Err() == nil:
		return console.NotRun(err)
	}
	return nil
}

// unitOf is a systemd unit that runs a command with the same flags.
func (d *daemonFlags) unitOf(cmd *cobra.Command, role bus.Role) string {
	exe, err := os.Executable()
	if err != nil {
		exe = "/usr/local/bin/rampload"
	}
	args := []string{exe, string(role)}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			switch f.Name {
			case "print-unit":
				continue
			case "creds", "ca":
				if abs, err := filepath.Abs(v); err == nil {
					v = abs
				}
			}
			args = append(args, "--"+f.Name+"="+v)
		}
	})
	for i, a := range args {
		if a = strings.ReplaceAll(a, "%", "%%"); strings.ContainsAny(a, " \t\"'\\$") {
			a = strconv.Quote(a)
		}
		args[i] = a
	}
	return unitText(role, "", "ExecStart="+strings.Join(args, " "))
}

// packagedFlags is the file in which the owner of a host writes the flags of the agent
// that a package installs.
const packagedFlags = "/etc/rampload/agent.conf"

// PackagedUnit is the systemd unit of deb and rpm: the same as --print-unit writes for
// an agent, with its flags in a file. Without that file it does not start, for an agent
// has to be told which server to connect to.
func PackagedUnit() string {
	return unitText(bus.RoleAgent, fmt.Sprintf(`# The flags of rampload agent, in one line of %[1]s:
#   AGENT_FLAGS=--nats=tls://nats.internal:4222 --creds=/etc/rampload/agent.creds --name=orders-1
AssertPathExists=%[1]s
`, packagedFlags), "EnvironmentFile="+packagedFlags+"\nExecStart=/usr/bin/rampload agent $AGENT_FLAGS")
}

// unitText is a unit with no more rights than its role needs. An agent traces resets
// and reads other users' processes; a worker opens connections and nothing else.
// Needs are further lines of its section [Unit], start the lines of [Service] that say
// what it runs.
func unitText(role bus.Role, needs, start string) string {
	about, rights := "send load for rampload runs", `DynamicUser=yes
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes`
	if role == bus.RoleAgent {
		var names, why strings.Builder
		for _, r := range manifests.AgentRights() {
			names.WriteString(" CAP_" + r.Name)
			fmt.Fprintf(&why, "#   %-16s %s\n", r.Name, r.Why)
		}
		about, rights = "watch this host for rampload runs", fmt.Sprintf(`# Without the next line it runs as root with these rights only:
%sCapabilityBoundingSet=%s
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
MemoryMax=512M
CPUWeight=20`, why.String(), names.String()[1:])
	}
	return fmt.Sprintf(`[Unit]
Description=rampload %s: %s
After=network-online.target
Wants=network-online.target
%s
[Service]
%s
Restart=always
RestartSec=2
StateDirectory=rampload-%s
LimitNOFILE=1048576
%s

[Install]
WantedBy=multi-user.target
`, role, about, needs, start, role, rights)
}
