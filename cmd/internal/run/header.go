package run

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/journey"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/preflight"
	"github.com/rampload/rampload/cmd/internal/watch"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/fingerprint"
	"github.com/rampload/rampload/profiles/redaction"
	"github.com/rampload/rampload/profiles/yaml"
	"github.com/rampload/rampload/report/runlog"
)

// newHeader describes a run before it begins.
func newHeader(p profiles.Profile, id attack.RunID, start time.Time, label string, w *watch.Watched) runlog.Header {
	h := runlog.Header{
		RunID: id.String(), Name: p.Name, Label: label, Started: start.UTC().Round(0), Interval: input.WindowInterval,
		Fingerprint: fingerprint.Of(p), Rampload: console.Version(), Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		Kernel: KernelRelease(), CPUs: runtime.NumCPU(), GitCommit: gitCommit(),
		Hosts: tracedHosts(w),
		Generator: runlog.Generator{
			Engine: string(p.Client.Engine), Connections: p.Client.Connections, MaxInFlight: p.Client.MaxInFlight,
			Timeout: p.Client.Timeout, IdleTimeout: p.Client.IdleTimeout, Retries: p.Client.Retries.Max,
			SkipVerify: p.Client.TLS.SkipVerify, NoFile: w.NoFile,
		},
	}
	h.Host = hostName()
	if text, err := yaml.Marshal(redaction.Profile(p)); err == nil {
		h.Profile = string(text)
	}
	content := contents(p)
	for i, t := range p.Targets {
		h.Generator.Ineffective = append(h.Generator.Ineffective, preflight.Unproxied(p, t)...)
		to := headerTarget(t, redaction.Of(p), w.TargetHosts[i])
		to.Content = content[i]
		h.Targets = append(h.Targets, to)
	}
	for _, c := range p.Counted()[len(p.Targets):] {
		h.Targets = append(h.Targets, headerPart(h.Targets[c.Target], p, c))
	}
	h.Stages = stagesOf(p, p.Load, 0)
	return h
}

// tracedHosts returns the hosts that are watched, and of which a reset trace is open.
func tracedHosts(w *watch.Watched) []runlog.Host {
	out := slices.Clone(w.Hosts)
	for i := range out {
		out[i].Traced = slices.ContainsFunc(w.Watchers, func(x probe.Watcher) bool {
			s := x.Source()
			return s.Host == out[i].Name && strings.HasPrefix(s.Name, "reset trace")
		})
	}
	return out
}

// maxEndpoints bounds what a run log lists of the requests of a target.
const maxEndpoints = 100

// headerTarget describes a target. One whose file names several URLs has the first
// of them, and a port only if they share it.
func headerTarget(t profiles.Target, redactor redaction.Redactor, hosts []string) runlog.Target {
	out := runlog.Target{Name: t.Name, Hosts: hosts, Share: t.Share, Endpoints: endpoints(t, redactor)}
	bases := t.Bases()
	for _, base := range bases {
		out.Requests += len(base.Requests)
	}
	if len(bases) > 0 {
		out.URL = redactor.Redact(bases[0].URL)
	}
	if ports := watch.ListenPorts(t); len(ports) == 1 {
		out.ListenPort = ports[0]
	}
	return out
}

// contents names the checks and extracts of each target that is a step, without secrets.
func contents(p profiles.Profile) [][]string {
	all, redactor := journey.Contents(p), redaction.Of(p)
	for _, names := range all {
		for i := range names {
			names[i] = redactor.Redact(names[i])
		}
	}
	return all
}

// headerPart describes what is counted of a target beside its requests.
func headerPart(t runlog.Target, p profiles.Profile, c profiles.Counted) runlog.Target {
	t.Name, t.Part, t.Of, t.Share, t.Endpoints, t.Requests = c.Name, c.Role, t.Name, 0, nil, 0
	t.Content = nil
	if url := p.Targets[c.Target].Completion.Poll.URL; c.Role == profiles.RoleStatus && url != "" {
		t.URL, t.ListenPort = redaction.Of(p).Redact(url), 0
	}
	return t
}

// endpoints lists the requests of a target in the order of their numbers, nil if
// there are too many.
func endpoints(t profiles.Target, redactor redaction.Redactor) []runlog.Endpoint {
	var out []runlog.Endpoint
	sum := 0.0
	for _, base := range t.Bases() {
		if len(out)+len(base.Requests) > maxEndpoints {
			return nil
		}
		for _, r := range base.Requests {
			sum += r.Weight
			out = append(out, runlog.Endpoint{Name: redactor.Redact(r.Label()), Share: r.Weight})
		}
	}
	for i := range out {
		out[i].Share /= sum
	}
	return out
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

func KernelRelease() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(release))
}

// hostName is this machine's name, "" where it has none.
func hostName() string {
	name, _ := os.Hostname()
	return name
}
