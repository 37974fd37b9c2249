package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// need skips a test where a program is missing or it is not run as root.
func need(t *testing.T, programs ...string) {
	t.Helper()
	skip := t.Skipf
	if os.Getenv("RAMPLOAD_NO_SKIP") == "1" {
		skip = t.Fatalf
	}
	if os.Getuid() != 0 {
		skip("needs root")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			skip("needs %s", p)
		}
	}
}

// run runs a program and returns what it prints.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

// buildProgram builds rampload: what is copied to another host is the program itself.
func buildProgram(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "rampload")
	run(t, "go", "build", "-ldflags=-s -w", "-o", exe, ".")
	return exe
}

// startSSH starts an OpenSSH server on a free port of loopback, and puts an ssh into
// folder whose configuration knows it as "orders-1". It returns its port and the
// folder.
func startSSH(t *testing.T, remotePath string) (port, dir string) {
	t.Helper()
	dir = t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	for _, key := range []string{"host", "user"} {
		run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file(key))
	}
	public, err := os.ReadFile(file("user.pub"))
	if err != nil {
		t.Fatal(err)
	}
	hostKey, err := os.ReadFile(file("host.pub"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ = net.SplitHostPort(l.Addr().String())
	l.Close()
	write := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(file(name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("authorized", string(public), 0o600)
	write("known", fmt.Sprintf("[127.0.0.1]:%s %s", port, hostKey), 0o600)
	write("sshd.conf", fmt.Sprintf(`Port %s
ListenAddress 127.0.0.1
HostKey %s
AuthorizedKeysFile %s
StrictModes no
UsePAM no
PidFile none
PermitRootLogin yes
SetEnv PATH=%s:/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=%s
`, port, file("host"), file("authorized"), remotePath, dir), 0o600)
	write("ssh.conf", fmt.Sprintf("Host orders-1\n  HostName 127.0.0.1\n  Port %s\nHost *\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile %s\n  StrictHostKeyChecking yes\n",
		port, file("user"), file("known")), 0o600)
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		t.Fatal(err)
	}
	write("ssh", fmt.Sprintf("#!/bin/sh\nexec %s -F %s \"$@\"\n", ssh, file("ssh.conf")), 0o755)
	sshd, err := exec.LookPath("sshd")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // where it separates privileges
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), sshd, "-D", "-e", "-f", file("sshd.conf"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(20 * time.Second); ; {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
			return port, dir
		}
		if time.Now().After(deadline) {
			t.Fatalf("sshd does not listen: %v", err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// reported is what these tests look at of a report.
type reported struct {
	Sources []struct{ Host, Source, State, Reason string }
	Events  []struct {
		Host string
		Kind string
	}
	Resources []struct {
		Host, Process, Name string
		Peak, Limit         *float64
	}
	Findings []struct{ Verdict, Cause, Host string }
}

// runAgainst runs a profile with a folder before PATH, and returns its report.
func runAgainst(t *testing.T, exe, folder, profile string) (reported, string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "p.yaml")
	if err := os.WriteFile(path, []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "--profile", path, "--out", filepath.Join(dir, "r.json"), "--quiet")
	cmd.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	text, readErr := os.ReadFile(filepath.Join(dir, "r.json"))
	if readErr != nil {
		t.Fatalf("no report: %v\n%s", err, out)
	}
	var r reported
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r, string(out)
}

func (r reported) source(host, name string) (state, reason string) {
	for _, s := range r.Sources {
		if s.Host == host && s.Source == name {
			return s.State, s.Reason
		}
	}
	return "", ""
}

func (r reported) has(host, resource string) bool {
	for _, x := range r.Resources {
		if x.Host == host && x.Name == resource && x.Peak != nil && *x.Peak > 0 {
			return true
		}
	}
	return false
}

const agentProfile = `
name: agents
targets: [{name: payments, url: %q, hosts: [orders-1], requests: [POST /pay]}]
load: [{at: 100/s, for: 2s}]
hosts: [{name: orders-1, agent: %s}]
abort-if: []
`

// The agent of a host is started over the user's own ssh: one that is installed there,
// by name and by address, and one that is copied.
func TestAgentOverSSH(t *testing.T) {
	need(t, "sshd", "ssh", "ssh-keygen", "sha256sum")
	exe := buildProgram(t)
	port, folder := startSSH(t, filepath.Dir(exe))
	service := &lab.Child{Exe: exe, Name: "payments"}
	if err := service.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = service.Stop() })
	for name, agent := range map[string]string{
		"by name":    "ssh",
		"by address": "ssh://root@127.0.0.1:" + port,
		"copied":     "{ssh: ssh, install: copy}",
		"a command":  fmt.Sprintf("{command: [ssh, orders-1, exec %s agent --stdio]}", exe),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, out := runAgainst(t, exe, folder, fmt.Sprintf(agentProfile, service.URL(), agent))
			if state, reason := r.source("orders-1", "agent"); state != "measured" || !strings.Contains(reason, "right within") {
				t.Errorf("the agent is %q: %s\n%s", state, reason, out)
			}
			for _, resource := range []string{"open-files", "file-table", "memory", "process-cpu"} {
				if !r.has("orders-1", resource) {
					t.Errorf("no %s of orders-1", resource)
				}
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		r, out := runAgainst(t, exe, folder, fmt.Sprintf(agentProfile, service.URL(), "ssh://root@127.0.0.1:1"))
		if state, reason := r.source("orders-1", "agent"); state != "not-measured" || !strings.Contains(reason, "refused") {
			t.Errorf("an agent that cannot be reached is %q: %s", state, reason)
		}
		if !strings.Contains(out, "the agent of orders-1 cannot be reached") {
			t.Errorf("no word of it:\n%s", out)
		}
	})
}

// A clock that is days off, as in a virtual machine that was started at another time,
// changes nothing: the times of both ends are compared. An agent that is killed in the
// middle of a run costs evidence, and is told.
func TestAgentByCommand(t *testing.T) {
	need(t, "unshare", "timeout")
	exe := buildProgram(t)
	service := &lab.Child{Exe: exe, Name: "payments"}
	if err := service.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = service.Stop() })
	for name, c := range map[string]struct{ before, state, says string }{
		"another clock": {"unshare, --time, --monotonic, '864000', --fork", "measured", "right within"},
		"killed":        {"timeout, -s, KILL, '4'", "partial", "lost"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			agent := fmt.Sprintf("{command: [%s, %s, agent, --stdio]}", c.before, exe)
			r, out := runAgainst(t, exe, "", fmt.Sprintf(agentProfile, service.URL(), agent))
			if state, reason := r.source("orders-1", "agent"); state != c.state || !strings.Contains(reason, c.says) {
				t.Errorf("the agent is %q: %s\n%s", state, reason, out)
			}
			if !r.has("orders-1", "open-files") {
				t.Errorf("nothing was read during the load:\n%s", out)
			}
		})
	}
}
