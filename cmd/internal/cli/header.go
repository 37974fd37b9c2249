package cli

import (
	"bytes"
	"context"
	"net"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml"
	"github.com/rampload/rampload/report/runlog"
)

// newHeader describes a run before it begins.
func newHeader(p profiles.Profile, id attack.RunID, start time.Time, label string, w *watched) runlog.Header {
	h := runlog.Header{
		RunID: hexID(id), Name: p.Name, Label: label, Started: start.UTC().Round(0), Interval: windowInterval,
		Fingerprint: p.Fingerprint(), Rampload: Version(), Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		Kernel: kernelRelease(), CPUs: runtime.NumCPU(), GitCommit: gitCommit(),
		Hosts: w.hosts,
		Generator: runlog.Generator{
			Engine: string(p.Client.Engine), Connections: p.Client.Connections, MaxInFlight: p.Client.MaxInFlight,
			Timeout: p.Client.Timeout, IdleTimeout: p.Client.IdleTimeout, Retries: p.Client.Retries.Max,
			SkipVerify: p.Client.TLS.SkipVerify, NoFile: w.noFile,
		},
	}
	h.Host, _ = os.Hostname()
	if text, err := yaml.Marshal(p.Redacted()); err == nil {
		h.Profile = string(text)
	}
	for i, t := range p.Targets {
		h.Generator.Ineffective = append(h.Generator.Ineffective, unproxied(p, t)...)
		h.Targets = append(h.Targets, headerTarget(t, p.Redactor(), w.targetHosts[i]))
	}
	var at time.Duration
	for _, s := range p.Load {
		end := at + s.Duration()
		from, to := s.Ends(p.Client.PerConnection)
		stage := runlog.Stage{Text: s.String(), Kind: s.Kind.String(), Start: at, End: end, From: from, To: to}
		if s.Kind == profiles.Connections {
			stage.PerConnection = p.Client.PerConnection
		}
		h.Stages = append(h.Stages, stage)
		at = end
	}
	return h
}

// maxEndpoints bounds what a run log lists of the requests of a target.
const maxEndpoints = 100

// headerTarget describes a target. One whose file names several URLs has the first
// of them, and a port only if they share it.
func headerTarget(t profiles.Target, redactor profiles.Redactor, hosts []string) runlog.Target {
	out := runlog.Target{Name: t.Name, Hosts: hosts, Share: t.Share, Endpoints: endpoints(t, redactor)}
	bases := t.Bases()
	for _, base := range bases {
		out.Requests += len(base.Requests)
	}
	if len(bases) > 0 {
		out.URL = redactor.Redact(bases[0].URL)
	}
	if ports := listenPorts(t); len(ports) == 1 {
		out.ListenPort = ports[0]
	}
	return out
}

// endpoints lists the requests of a target in the order of their numbers, nil if
// there are too many.
func endpoints(t profiles.Target, redactor profiles.Redactor) []runlog.Endpoint {
	var out []runlog.Endpoint
	sum := 0.0
	for _, base := range t.Bases() {
		if len(out)+len(base.Requests) > maxEndpoints {
			return nil
		}
		for _, r := range base.Requests {
			sum += r.Weight
			out = append(out, runlog.Endpoint{Name: redactor.Redact(r.Method + " " + r.Path), Share: r.Weight})
		}
	}
	for i := range out {
		out[i].Share /= sum
	}
	return out
}

// listenPorts returns the ports that connections to a target go to, each once; none
// for a Unix socket.
func listenPorts(t profiles.Target) []int {
	var out []int
	for _, base := range t.Bases() {
		if port := listenPort(t.Reached(base)); port != 0 && !slices.Contains(out, port) {
			out = append(out, port)
		}
	}
	return out
}

// listenPort returns the port that connections to the URL go to, 0 for a Unix
// socket.
func listenPort(raw string) int {
	u, err := url.Parse(raw)
	if err != nil {
		return 0
	}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		return port
	}
	switch u.Scheme {
	case "http":
		return 80
	case "https":
		return 443
	}
	return 0
}

// targetHost returns the host name or address of a target's URL, empty for a
// Unix socket.
func targetHost(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "unix" {
		return ""
	}
	return u.Hostname()
}

// gitTimeout keeps a slow disk from eating the time before the load.
const gitTimeout = time.Second

// gitCommit names the commit of the working directory's repository, if any: a
// release under test is most often run from its own checkout.
func gitCommit() string {
	ctx, cancel := context.WithTimeout(context.Background(), gitTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func kernelRelease() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(release))
}

// localAddrs returns the addresses of this machine's interfaces.
func localAddrs() []string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []string
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			out = append(out, n.IP.String())
		}
	}
	return out
}
