package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// The addresses of a network. Every network has them in namespaces of its own,
// so runs do not meet.
const (
	clientAddr    = "10.90.1.2"
	RouterClient  = "10.90.1.1" // the router's address towards the client
	RouterServer  = "10.90.2.1" // the router's address towards the server
	ServerAddr    = "10.90.2.2"
	MovedAddr     = "10.90.2.3" // where the server goes (Move)
	standbyRouter = "10.90.3.1"
	StandbyAddr   = "10.90.3.2"
	VirtualAddr   = "10.90.9.9" // held by server and standby, routed to the one
)

// Network is a client, a router and a server, each in a network namespace of its
// own, joined by two veth pairs:
//
//	client 10.90.1.2 -- 10.90.1.1 router 10.90.2.1 -- 10.90.2.2 server
//
// The router's devices are called to-client and to-server, the others' uplink.
type Network struct{ Client, Router, Server, Standby string }

// networks numbers the networks of this process: with the process id they make
// names (rl-PID-NUMBER) that are unique, and that tell whether their owner still lives.
var networks atomic.Int64

const (
	netnsDir    = "/run/netns"
	cgroupMount = "/sys/fs/cgroup"
	runDir      = "/run"
)

// Network builds the network and removes it at the end. Namespaces that a killed
// process left behind are removed first.
func (b *Bench) Network(standby bool) (*Network, error) {
	removeStale()
	prefix := fmt.Sprintf("rl-%d-%d", os.Getpid(), networks.Add(1))
	n := &Network{Client: prefix + "-client", Router: prefix + "-router", Server: prefix + "-server"}
	names := []string{n.Client, n.Router, n.Server}
	if standby {
		n.Standby = prefix + "-standby"
		names = append(names, n.Standby)
	}
	b.Undo(func() error {
		var errs []error
		for _, name := range names {
			if _, err := os.Stat(filepath.Join(netnsDir, name)); err == nil {
				errs = append(errs, command("ip", "netns", "del", name))
			}
		}
		return errors.Join(errs...)
	})
	for _, name := range names {
		if err := errors.Join(command("ip", "netns", "add", name), command("ip", "-n", name, "link", "set", "lo", "up")); err != nil {
			return nil, err
		}
	}
	join := func(ns, addr, dev, gateway string) error {
		return errors.Join(
			command("ip", "link", "add", "uplink", "netns", ns, "type", "veth", "peer", "name", dev, "netns", n.Router),
			command("ip", "-n", ns, "addr", "add", addr+"/24", "dev", "uplink"),
			command("ip", "-n", n.Router, "addr", "add", gateway+"/24", "dev", dev),
			command("ip", "-n", ns, "link", "set", "uplink", "up"),
			command("ip", "-n", n.Router, "link", "set", dev, "up"),
			command("ip", "-n", ns, "route", "add", "default", "via", gateway),
		)
	}
	err := errors.Join(
		join(n.Client, clientAddr, "to-client", RouterClient),
		join(n.Server, ServerAddr, "to-server", RouterServer),
		b.Sysctl(n.Router, "net/ipv4/ip_forward", "1"),
	)
	if standby {
		err = errors.Join(err, join(n.Standby, StandbyAddr, "to-standby", standbyRouter))
	}
	if err != nil {
		return nil, fmt.Errorf("build network: %w", err)
	}
	b.Run.ClientNetns = n.Client
	return n, nil
}

// Twin adds a machine with the server's address to the server's network, and returns its
// namespace. It is not started yet. Each of the two says whose the address is when it is
// told to (Announce).
func (b *Bench) Twin(n *Network) (string, error) {
	twin := strings.TrimSuffix(n.Server, "server") + "twin"
	b.Undo(func() error { return command("ip", "netns", "del", twin) })
	err := errors.Join(
		command("ip", "netns", "add", twin),
		command("ip", "-n", twin, "link", "set", "lo", "up"),
		command("ip", "-n", n.Router, "link", "add", "lan", "type", "bridge"),
		command("ip", "-n", n.Router, "addr", "del", RouterServer+"/24", "dev", "to-server"),
		command("ip", "-n", n.Router, "addr", "add", RouterServer+"/24", "dev", "lan"),
		command("ip", "-n", n.Router, "link", "set", "to-server", "master", "lan"),
		command("ip", "link", "add", "uplink", "netns", twin, "type", "veth", "peer", "name", "to-twin", "netns", n.Router),
		command("ip", "-n", n.Router, "link", "set", "to-twin", "master", "lan"),
		command("ip", "-n", n.Router, "link", "set", "to-twin", "up"),
		command("ip", "-n", n.Router, "link", "set", "lan", "up"),
		command("ip", "-n", twin, "addr", "add", ServerAddr+"/24", "dev", "uplink"),
		b.Sysctl(twin, "net/ipv4/conf/uplink/arp_notify", "1"),
		b.Sysctl(n.Server, "net/ipv4/conf/uplink/arp_notify", "1"),
	)
	if err != nil {
		return "", fmt.Errorf("add a twin of the server: %w", err)
	}
	return twin, nil
}

// Move gives the server another address of its network instead of the one that it has.
func (b *Bench) Move(n *Network) error {
	return errors.Join(
		command("ip", "-n", n.Server, "addr", "add", MovedAddr+"/24", "dev", "uplink"),
		command("ip", "-n", n.Server, "addr", "del", ServerAddr+"/24", "dev", "uplink"),
		command("ip", "-n", n.Server, "addr", "replace", MovedAddr+"/24", "dev", "uplink"), // it goes with the first
		command("ip", "-n", n.Server, "route", "replace", "default", "via", RouterServer),
	)
}

// StartTwin brings a twin's device up. Its network takes a moment until it passes on what
// the twin says.
func (b *Bench) StartTwin(twin string) error {
	return errors.Join(
		command("ip", "-n", twin, "link", "set", "uplink", "up"),
		command("ip", "-n", twin, "route", "replace", "default", "via", RouterServer),
	)
}

// Announce has a machine say whose its address is (gratuitous ARP), and change nothing.
func (b *Bench) Announce(netns string) error {
	text, err := output(exec.Command("ip", "-n", netns, "-o", "link", "show", "uplink"), "")
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(text, "link/ether ")
	hardware, _, _ := strings.Cut(rest, " ")
	return command("ip", "-n", netns, "link", "set", "uplink", "address", hardware)
}

// removeStale removes what killed processes left behind: namespaces, control
// groups, and machine-wide parameters that they had changed. All carry the
// process id in their names, rl-PID-NUMBER.
func removeStale() {
	stale := func(dir string) (names []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil
		}
		for _, e := range entries {
			parts := strings.Split(e.Name(), "-")
			if len(parts) < 3 || parts[0] != "rl" {
				continue
			}
			pid, err := strconv.Atoi(parts[1])
			if err == nil && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
				names = append(names, e.Name())
			}
		}
		return names
	}
	// Errors are ignored: another run may have been quicker.
	for _, name := range stale(netnsDir) {
		_ = command("ip", "netns", "del", name)
	}
	for _, dir := range []string{cgroupMount, filepath.Join(cgroupMount, "memory"), filepath.Join(cgroupMount, "cpu"), filepath.Join(cgroupMount, "pids")} {
		for _, name := range stale(dir) {
			_ = unix.Rmdir(filepath.Join(dir, name))
		}
	}
	for _, name := range stale(runDir) {
		file := filepath.Join(runDir, name)
		if raw, err := os.ReadFile(file); err == nil {
			if parameter, value, ok := strings.Cut(string(raw), "\n"); ok {
				_ = os.WriteFile(filepath.Join("/proc/sys", parameter), []byte(value), 0)
			}
			_ = os.Remove(file)
		}
	}
}

// command runs a program to its end.
func command(name string, args ...string) error {
	_, err := output(exec.Command(name, args...), "")
	return err
}

// output runs a command in a namespace and returns what it printed.
func output(cmd *exec.Cmd, netns string) (string, error) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second
	err := inNetns(netns, func() error {
		timer := time.AfterFunc(20*time.Second, func() {
			if cmd.Process != nil {
				cmd.Process.Kill()
			}
		})
		defer timer.Stop()
		return cmd.Run()
	})
	if err != nil {
		return out.String(), fmt.Errorf("run %s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// inNetns calls f on a thread in a namespace; "" is this one.
func inNetns(name string, f func() error) error {
	if name == "" {
		return f()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := enterNetns(name)
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}
