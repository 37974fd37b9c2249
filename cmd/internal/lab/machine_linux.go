package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Sysctl sets a network parameter in a namespace.
func (machine *Machine) Sysctl(netns, name, value string) error {
	return inNetns(netns, func() error {
		if err := os.WriteFile(filepath.Join("/proc/sys", name), []byte(value), 0); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
		return nil
	})
}

// GlobalSysctl sets a parameter of the whole machine and puts it back at the end.
func (machine *Machine) GlobalSysctl(name, value string) error {
	file := filepath.Join("/proc/sys", name)
	old, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	// The note lets the next run put it back if this process is killed.
	note := filepath.Join(runDir, fmt.Sprintf("rl-%d-%d", os.Getpid(), networks.Add(1)))
	if err := os.WriteFile(note, append([]byte(name+"\n"), old...), 0o600); err != nil {
		return fmt.Errorf("note %s: %w", name, err)
	}
	machine.Undo(func() error {
		return errors.Join(os.WriteFile(file, old, 0), os.Remove(note))
	})
	if err := os.WriteFile(file, []byte(value), 0); err != nil {
		return fmt.Errorf("set %s: %w", name, err)
	}
	return nil
}

// Ip runs the ip program for a namespace.
func (machine *Machine) IP(netns string, args ...string) error {
	return command("ip", append([]string{"-n", netns}, args...)...)
}

// In runs a program in a namespace.
func (machine *Machine) In(netns, name string, args ...string) error {
	_, err := output(exec.Command(name, args...), netns)
	return err
}

// Nft loads a rule set into a namespace. Counters of it called "harm" are part of
// the truth.
func (machine *Machine) NFT(netns, rules string) error {
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	_, err := output(cmd, netns)
	return err
}

// Cgroup makes a control group with the given files set and removes it at the
// end. Version 1 has a hierarchy per controller, version 2 one for all.
func (machine *Machine) Cgroup(controller string, v1, v2 map[string]string) (string, error) {
	removeStale()
	name := fmt.Sprintf("rl-%d-%d", os.Getpid(), networks.Add(1))
	const mount = cgroupMount
	dir, settings := filepath.Join(mount, controller, name), v1
	if _, err := os.Stat(filepath.Join(mount, "cgroup.controllers")); err == nil {
		dir, settings = filepath.Join(mount, name), v2
		if err := os.WriteFile(filepath.Join(mount, "cgroup.subtree_control"), []byte("+"+controller), 0); err != nil {
			return "", fmt.Errorf("enable cgroup controller %s: %w", controller, err)
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", fmt.Errorf("make cgroup: %w", err)
	}
	machine.Undo(func() error {
		// The last processes may be leaving still.
		var err error
		for range 50 {
			if err = unix.Rmdir(dir); err == nil || errors.Is(err, unix.ENOENT) {
				return nil
			}
			time.Sleep(20 * time.Millisecond) //nolint:forbidigo // cleaning up has no context; it is bounded
		}
		return fmt.Errorf("remove cgroup %s: %w", dir, err)
	})
	for file, value := range settings {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0); err != nil {
			return "", fmt.Errorf("set cgroup's %s: %w", file, err)
		}
	}
	return dir, nil
}
