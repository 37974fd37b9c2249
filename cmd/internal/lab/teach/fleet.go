package teach

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/services"
	"github.com/rampload/rampload/profiles"
)

// Fleet is the payment service on a host of its own, watched by an agent there, with
// the load of two workers. As root the hosts are network namespaces; without, all of it
// is on loopback. It is no scenario for grading: what is wrong is known.
func Fleet() lab.Scenario {
	return lab.Scenario{
		Name: "fleet", Family: "fleet", Cause: "server-file-descriptors",
		About: "two workers load a payment service on another host, where an agent watches it run out of descriptors",
		Needs: []lab.Need{lab.NeedLinux},
		Start: lab.Setup("fleet", startFleet),
	}
}

func startFleet(b *lab.Bench) error {
	var n lab.Network // its names are empty: this namespace
	listen, url, creds := "", "", map[string][]string{}
	var service []string
	if os.Getuid() == 0 {
		network, err := b.Network(false)
		if err != nil {
			return err
		}
		n = *network
		set := filepath.Join(b.Env.Dir, fmt.Sprintf("team-%d", time.Now().UnixNano()))
		if out, err := exec.Command(b.Env.Exe, "fleet", "creds", set, "--host", clientAddr).CombinedOutput(); err != nil {
			return fmt.Errorf("make credentials: %w: %s", err, out)
		}
		listen, url = clientAddr+":4222", "tls://"+clientAddr+":4222"
		for _, role := range []string{"worker", "agent"} {
			creds[role] = []string{"--creds", filepath.Join(set, role+".creds")}
		}
		b.Run.Profile.Fleet.Creds = filepath.Join(set, "coordinator.creds")
		service = []string{lab.Arg("addr", lab.ServerAddr+":8080")}
	} else {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("find a free port: %w", err)
		}
		listen = l.Addr().String()
		url = "nats://" + listen
		l.Close()
	}
	p := services.Payments{NoFile: uint64(b.Whole(200, 320)), Hold: b.Millis(100, 160), Growth: b.Between(0.1, 0.4), Ledgers: 1}
	c, err := b.Child(n.Server, "payments", append(service, p.Args()...)...)
	if err != nil {
		return err
	}
	member := func(netns, name, role string, args ...string) error {
		all := append([]string{role, "--nats", url, "--name", name, "--spool", filepath.Join(b.Env.Dir, "spool-"+name)}, creds[role]...)
		_, err := b.Logged(name, netns, nil, b.Env.Exe, append(all, args...)...)
		return err
	}
	for _, name := range []string{"worker-1", "worker-2"} {
		if err := member(n.Client, name, "worker", "--allow-target", c.URL()); err != nil {
			return err
		}
	}
	if err := member(n.Server, "payments-1", "agent"); err != nil {
		return err
	}
	b.Target("payments", c.URL(), lab.Post("/payments", 2000), "payments-1")
	b.Run.Profile.Hosts = []profiles.Host{{
		Name: "payments-1", Agent: profiles.Agent{Name: profiles.OwnName},
		Processes: []profiles.Process{{Listen: int(c.Addr().Port())}},
	}}
	b.Run.Profile.Fleet.Workers, b.Run.Profile.Fleet.Listen = 2, listen
	b.RampTo(0.3*p.OnsetLoad(), 1.5*p.OnsetLoad(), 18*time.Second)
	b.Onset(p.OnsetLoad(), 0.15)
	b.Run.Expect.Resource, b.Run.Expect.Host = "open-files", "payments-1"
	return nil
}

// clientAddr is the address of the client's namespace in a network of the lab.
const clientAddr = "10.90.1.2"
