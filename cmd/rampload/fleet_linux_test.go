package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// site is network namespaces on one bridge, and a nats-server in that of the bridge.
type site struct {
	t    *testing.T
	dir  string
	name string // of the bridge's namespace; the others' begin with it
	team string // credentials

	nats  *process
	ahead map[string]time.Duration // by host: how much longer its clock has run
}

// hosts are the namespaces and their addresses, 10.91.0.N.
var hosts = map[string]int{"lead": 10, "w1": 11, "w2": 12, "w3": 13, "orders": 20}

const natsAddr = "10.91.0.1"

func newSite(t *testing.T) *site {
	t.Helper()
	need(t, "ip", "nsenter", "nft")
	s := &site{t: t, dir: t.TempDir(), name: fmt.Sprintf("fleet-%d", os.Getpid())}
	for _, name := range []string{"rampload", "nats-server"} {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(self, filepath.Join(s.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	ip := func(args string) { run(t, "ip", strings.Fields(args)...) }
	ip("netns add " + s.name)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", s.name).Run() })
	ip("-n " + s.name + " link set lo up")
	ip("-n " + s.name + " link add br0 type bridge")
	ip("-n " + s.name + " addr add " + natsAddr + "/24 dev br0")
	ip("-n " + s.name + " link set br0 up")
	for host, n := range hosts {
		ns := s.name + "-" + host
		ip("netns add " + ns)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
		ip("link add e0 netns " + ns + " type veth peer name " + host + " netns " + s.name)
		ip("-n " + s.name + " link set " + host + " master br0 up")
		ip(fmt.Sprintf("-n %s addr add 10.91.0.%d/24 dev e0", ns, n))
		ip("-n " + ns + " link set e0 up")
		ip("-n " + ns + " link set lo up")
	}
	s.team = filepath.Join(s.dir, "team")
	run(t, filepath.Join(s.dir, "rampload"), "fleet", "creds", s.team, "--host", natsAddr)
	s.startNATS()
	return s
}

// startNATS starts the server, or starts it again with what it kept.
func (s *site) startNATS() {
	s.t.Helper()
	nats := s.command("", "nats-server", "-c", "nats-server.conf")
	nats.Dir = filepath.Join(s.team, "server")
	s.nats = s.start(nats, "nats")
	s.wait("nats-server", func() bool {
		return exec.Command("nsenter", "--net=/run/netns/"+s.name, "--", "bash", "-c", "exec 3<>/dev/tcp/"+natsAddr+"/4222").Run() == nil
	})
}

// command is a program in a namespace; the empty host is the bridge's.
func (s *site) command(host, name string, args ...string) *exec.Cmd {
	ns := s.name
	if host != "" {
		ns += "-" + host
	}
	all := []string{"--net=/run/netns/" + ns, "--"}
	if ahead := int(s.ahead[host].Seconds()); ahead > 0 {
		all = append(all, "unshare", "--time", "--fork", "--kill-child", fmt.Sprintf("--monotonic=%d", ahead), fmt.Sprintf("--boottime=%d", ahead), "--")
	}
	return exec.Command("nsenter", append(append(all, filepath.Join(s.dir, name)), args...)...)
}

// process is a program that runs, and what it says.
type process struct {
	cmd  *exec.Cmd
	mu   sync.Mutex
	said bytes.Buffer
	done chan struct{}
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

func (p *process) says(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Contains(p.said.String(), text)
}

func (p *process) count(text string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Count(p.said.String(), text)
}

func (s *site) start(cmd *exec.Cmd, name string) *process {
	s.t.Helper()
	p := &process{cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p, p
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() { _ = cmd.Wait(); close(p.done) }()
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.done
		if s.t.Failed() {
			s.t.Logf("%s:\n%s", name, p.said.String())
		}
	})
	return p
}

// wait waits for what comes some time.
func (s *site) wait(what string, there func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !there(); {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: not in a minute", what)
		}
		<-time.After(50 * time.Millisecond)
	}
}

func (s *site) worker(host string, args ...string) *process {
	return s.member(host, "worker", append([]string{"--allow-target", "http://10.91.0.20:8080"}, args...)...)
}

func (s *site) member(host, role string, args ...string) *process {
	all := append([]string{role, "--nats", "tls://" + natsAddr + ":4222", "--creds", filepath.Join(s.team, role+".creds"), "--name", host, "--spool", filepath.Join(s.dir, "spool-"+host+role)}, args...)
	p := s.start(s.command(host, "rampload", all...), role+" "+host)
	s.wait(role+" "+host, func() bool { return p.says("ready on") || p.exited() })
	return p
}

// hub starts the agent of the bridge's namespace.
func (s *site) hub() {
	hub := s.start(s.command("", "rampload", "agent", "--nats", "tls://"+natsAddr+":4222", "--creds", filepath.Join(s.team, "agent.creds"), "--name", "hub", "--spool", filepath.Join(s.dir, "hub")), "hub")
	s.wait("agent hub", func() bool { return hub.says("ready on") })
}

func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill ends a program at once.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

func (s *site) profile(workers int, load string) string {
	return s.profileOf(workers, load, "GET /orders")
}

func (s *site) profileOf(workers int, load, request string) string {
	path := filepath.Join(s.dir, fmt.Sprintf("p%d.yaml", time.Now().UnixNano()))
	text := fmt.Sprintf(`name: fleet
targets: [{name: orders, url: 'http://10.91.0.20:8080', hosts: [orders], requests: [%s]}]
load: [%s]
client: {timeout: 2s}
hosts:
  - {name: orders, agent: nats, processes: [{listen: 8080}]}
  - {name: hub, agent: hub}
fleet: {workers: %d, nats: 'tls://%s:4222', creds: %s/coordinator.creds}
`, request, load, workers, natsAddr, s.team)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// counted is what of a report has to add up.
type counted struct {
	Complete bool
	Totals   struct {
		Requests, Unsent, Failed uint64
		WireResets               uint64 `json:"wire_resets"`
	}
	Findings []struct{ Verdict, Cause, Host string }
	Sources  []struct{ Host, Source, State, Reason string }
	Events   []struct {
		Kind, Host, Text string
		AtS              float64 `json:"at_s"`
	}
}

func readCounted(t *testing.T, path string) (c counted) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c counted) reason(host, source string) string {
	for _, s := range c.Sources {
		if s.Host == host && s.Source == source && s.State != "measured" {
			return s.Reason
		}
	}
	return ""
}

// reasonOf is what a source says, measured or not.
func (c counted) reasonOf(host, source string) string {
	for _, s := range c.Sources {
		if s.Host == host && s.Source == source {
			return s.Reason
		}
	}
	return ""
}

// Real processes in namespaces of their own: three workers, two agents, somebody else's
// nats-server; a worker is killed and an agent is cut off in the middle, and in the
// second run the coordinator is killed. Every request is accounted for.
func TestFleetOfProcesses(t *testing.T) {
	s := newSite(t)
	s.start(s.command("orders", "rampload", "lab-service", "api", "-addr", "10.91.0.20:8080"), "orders")
	s.member("orders", "agent")
	s.hub()
	workers := []*process{s.worker("w1"), s.worker("w2"), s.worker("w3")}

	t.Run("killed and cut off", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "run.json")
		lead := s.start(s.command("lead", "rampload", "run", "--profile", s.profile(3, "{at: 300/s, for: 10s}"), "--out", out), "coordinator")
		s.wait("the load", func() bool { return workers[2].says("ready to send") })
		<-time.After(4 * time.Second)
		// The agent of orders loses its connection; the target does not.
		drop := "add table inet cut; add chain inet cut in { type filter hook input priority 0; }; add rule inet cut in ip saddr " + natsAddr + " drop"
		run(t, "nsenter", "--net=/run/netns/"+s.name+"-orders", "--", "nft", drop)
		workers[2].kill()
		<-time.After(3 * time.Second)
		run(t, "nsenter", "--net=/run/netns/"+s.name+"-orders", "--", "nft", "delete table inet cut")
		s.wait("the end of the run", lead.exited)
		r := readCounted(t, out)
		got := r.Totals.Requests + r.Totals.Unsent
		// What the killed one had under way has no known end, and is told.
		if got > 3000 || got < 3000-20 || r.Totals.Unsent == 0 || r.Totals.Failed != 0 {
			t.Errorf("%+v of 3000 requests\n%s", r.Totals, lead.said.String())
		}
		if why := r.reason("w3", "worker"); !strings.Contains(why, "sends its slice from") {
			t.Errorf("the lost worker: %q in %+v", why, r.Sources)
		}
		if why := r.reason("orders", "agent"); why != "" {
			t.Errorf("the agent that was cut off: %s", why)
		}
		for _, e := range r.Events {
			// A starved machine leaves gaps of its own; the cut was three seconds.
			m := silentFor.FindStringSubmatch(e.Text)
			if e.Kind != "gap" || e.Host != "orders" || m == nil || strings.HasPrefix(e.Text, "requests ") { // requests are read as rarely as every 3 s
				continue
			}
			if s, err := strconv.ParseFloat(m[1], 64); err != nil || s >= 2 {
				t.Errorf("the agent that was cut off has a gap: %s", e.Text)
			}
		}
		if !lead.says("worker w3 is lost") {
			t.Errorf("it was not told:\n%s", lead.said.String())
		}
	})

	t.Run("coordinator killed", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "run.json")
		lead := s.start(s.command("lead", "rampload", "run", "--profile", s.profile(2, "{at: 200/s, for: 60s}"), "--out", out), "coordinator")
		s.wait("the load", func() bool { return workers[0].says("ready to send slice 1 of 2") })
		<-time.After(5 * time.Second)
		lead.kill()
		for i, w := range workers[:2] {
			s.wait(fmt.Sprintf("worker %d stops", i+1), func() bool { return w.says("the coordinator is gone") })
		}
		resumed := filepath.Join(filepath.Dir(out), "resumed.json")
		cmd := s.command("lead", "rampload", "report", "--resume", strings.TrimSuffix(out, ".json")+".runlog", "--out", resumed)
		if text, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(text), "is the whole run") {
			t.Fatalf("%v\n%s", err, text)
		}
		r := readCounted(t, resumed)
		if r.Totals.Requests < 200 || r.Totals.Unsent != 0 || r.Totals.Failed != 0 || r.reason("w1", "worker") != "" {
			t.Errorf("%+v, %+v", r.Totals, r.Sources)
		}
	})

	t.Run("journeys and data", func(t *testing.T) {
		// Each of 40 rows is for one journey of two steps, whichever worker makes it.
		var rows strings.Builder
		rows.WriteString("id\n")
		for i := range 40 {
			fmt.Fprintf(&rows, "%d\n", i)
		}
		dir := t.TempDir()
		path, out := filepath.Join(dir, "journeys.yaml"), filepath.Join(dir, "run.json")
		text := fmt.Sprintf(`data: {users: {file: users.csv, pick: once}}
journeys:
  - name: buy
    url: http://10.91.0.20:8080
    steps:
      - {name: look, path: "/?user=${users.id}", extract: {length: header Content-Length}}
      - {name: pay, path: "/?n=${look.length}", think: 10ms..30ms}
load: [{journeys: 20/s, for: 60s}]
fleet: {workers: 2, nats: 'tls://%s:4222', creds: %s/coordinator.creds}
`, natsAddr, s.team)
		for name, text := range map[string]string{path: text, filepath.Join(dir, "users.csv"): rows.String()} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		lead := s.start(s.command("lead", "rampload", "run", "--profile", path, "--out", out), "coordinator")
		s.wait("the end of the run", lead.exited)
		r := readCounted(t, out)
		told := 0
		for _, source := range r.Sources {
			if strings.HasPrefix(source.Source, "data users") && strings.Contains(source.Reason, "all 40 rows were used") {
				told++
			}
		}
		if r.Totals.Requests != 80 || r.Totals.Failed != 0 || told != 2 || !lead.says("buy: 40 began, 40 completed") {
			t.Errorf("%+v of 80 requests, told by %d workers\n%s", r.Totals, told, lead.said.String())
		}
	})

	t.Run("forged", func(t *testing.T) {
		strangers := filepath.Join(t.TempDir(), "strangers")
		run(t, filepath.Join(s.dir, "rampload"), "fleet", "creds", strangers, "--host", natsAddr)
		for name, c := range map[string]struct {
			args []string
			says string
		}{
			"credentials": {[]string{"worker", "--creds", filepath.Join(strangers, "worker.creds"), "--ca", filepath.Join(s.team, "ca.pem"), "--allow-target", "http://10.91.0.20:8080"}, "not of its own set"},
			"none":        {[]string{"agent", "--ca", filepath.Join(s.team, "ca.pem")}, "wants credentials"},
			"certificate": {[]string{"agent", "--creds", filepath.Join(strangers, "agent.creds")}, "not trusted here"},
		} {
			out, err := s.command("w3", "rampload", append(c.args, "--nats", "tls://"+natsAddr+":4222")...).CombinedOutput()
			if err == nil || !strings.Contains(string(out), c.says) || strings.Count(string(out), "\n") != 1 {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		}
		// A target that no worker allows.
		path := s.profile(2, "{at: 10/s, for: 1s}")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.Replace(data, []byte("http://10.91.0.20:8080"), []byte("http://10.91.0.1:4222"), 1), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := s.command("lead", "rampload", "run", "--profile", path, "--out", filepath.Join(t.TempDir(), "x.json")).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "is not one of those that this worker sends to") {
			t.Errorf("a target that is not allowed: %v\n%s", err, out)
		}
	})
}

// silentFor reads the length of a gap of more than a second.
var silentFor = regexp.MustCompile(`silent for ([0-9.]+) s$`)
