package lab

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rampload/rampload/profiles"
)

// bench is a scenario being set up: what it has drawn from its seed, started,
// and has to undo.
type bench struct {
	ctx      context.Context
	env      Env
	rand     *rand.Rand
	run      *Running
	children []*Child
	undo     []func() error
	tally    *tally
	final    []func()       // last readings, before children and what undo removes are gone
	watching []func() error // ends a watch after a last look
}

// maker makes one scenario; a control has the family "controls" and the cause
// "healthy".
type maker func(family, cause, name, about string, fill func(*bench) error, needs ...Need) Scenario

// needing makes scenarios that need the same things, Linux among them.
func needing(common ...Need) maker {
	return func(family, cause, name, about string, fill func(*bench) error, needs ...Need) Scenario {
		return Scenario{
			Name: name, Family: family, Cause: cause, About: about,
			Needs: slices.Concat([]Need{NeedLinux}, common, needs), Start: setup(name, fill),
		}
	}
}

// inNetwork makes scenarios that have network namespaces and need programs.
func inNetwork(programs ...Need) maker {
	return needing(append([]Need{NeedRoot, "ip", "nft"}, programs...)...)
}

// setup is the Start function of a scenario: it fills in the bench's Running.
// What it started before an error is undone.
func setup(name string, fill func(*bench) error) func(context.Context, Env) (*Running, error) {
	return func(ctx context.Context, env Env) (*Running, error) {
		h := fnv.New64a()
		h.Write([]byte(name))
		b := &bench{
			ctx: ctx, env: env, rand: rand.New(rand.NewPCG(env.Seed, h.Sum64())),
			run: &Running{}, tally: newTally("scenario " + name),
		}
		b.run.Profile = profiles.Profile{
			Name:   name,
			Client: profiles.Client{Connections: 400, MaxInFlight: 4000, Timeout: 2 * time.Second, IdleTimeout: 90 * time.Second, Engine: profiles.EngineVegeta, Protocol: profiles.ProtocolHTTP1},
		}
		var once sync.Once
		var stopErr error
		b.run.Truth = b.tally.truth
		b.run.Stop = func() error {
			once.Do(func() { stopErr = b.stop() })
			return stopErr
		}
		if err := fill(b); err != nil {
			return nil, fmt.Errorf("start scenario %s: %w", name, errors.Join(err, b.run.Stop()))
		}
		return b.run, nil
	}
}

// stop ends the children, collects their truth and undoes the rest in reverse.
func (b *bench) stop() error {
	var errs []error
	for _, end := range b.watching {
		errs = append(errs, end())
	}
	for _, f := range b.final {
		f()
	}
	for i := len(b.children) - 1; i >= 0; i-- {
		c := b.children[i]
		truth, err := c.Stop()
		b.tally.add(truth)
		if err != nil {
			err = fmt.Errorf("%w %s", err, b.complaint(c))
		}
		errs = append(errs, err)
	}
	for i := len(b.undo) - 1; i >= 0; i-- {
		errs = append(errs, b.undo[i]())
	}
	return errors.Join(errs...)
}

// watch calls look regularly, and once more at the end.
func (b *bench) watch(look func(), every time.Duration) {
	ctx, cancel := context.WithCancel(b.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for pause(ctx, every) {
			look()
		}
		look()
	}()
	b.watching = append(b.watching, func() error {
		cancel()
		<-done
		return nil
	})
}

// later calls f beside the run; f returns when its context ends. Its error is
// that of Running.Stop.
func (b *bench) later(f func(context.Context) error) {
	ctx, cancel := context.WithCancel(b.ctx)
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	b.watching = append(b.watching, func() error {
		cancel()
		return <-done
	})
}

// between draws a number.
func (b *bench) between(low, high float64) float64 { return low + b.rand.Float64()*(high-low) }

// whole draws a whole number, both ends included.
func (b *bench) whole(low, high int) int { return low + b.rand.IntN(high-low+1) }

// millis draws a duration in whole milliseconds.
func (b *bench) millis(low, high int) time.Duration {
	return time.Duration(b.whole(low, high)) * time.Millisecond
}

// child starts a service in a namespace ("" is this one).
func (b *bench) child(netns, name string, args ...string) (*Child, error) {
	return b.start(&Child{Netns: netns, Name: name, Args: args})
}

func (b *bench) start(c *Child) (*Child, error) {
	c.Exe, c.Prefix = b.env.Exe, b.env.Prefix
	errs, err := os.OpenFile(filepath.Join(b.env.Dir, c.Name+".err"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	b.undo = append(b.undo, errs.Close)
	c.Stderr = errs
	if err := c.Start(b.ctx); err != nil {
		return nil, fmt.Errorf("%w %s", err, b.complaint(c))
	}
	b.children = append(b.children, c)
	return c, nil
}

// complaint returns what a child wrote to its standard error, the end of it.
func (b *bench) complaint(c *Child) string {
	text, _ := os.ReadFile(filepath.Join(b.env.Dir, c.Name+".err"))
	return strings.TrimSpace(string(text[max(0, len(text)-500):]))
}

// supervised starts a service below a supervisor.
func (b *bench) supervised(netns string, flags []string, name string, args ...string) (*Child, error) {
	prefix := "lab-service"
	if len(b.env.Prefix) > 0 {
		prefix = b.env.Prefix[0]
	}
	all := append([]string{"-prefix=" + prefix}, flags...)
	return b.child(netns, "supervise", append(append(all, name), args...)...)
}

// target adds a target with one kind of request, served by the named hosts.
func (b *bench) target(name, url string, requests []profiles.Request, hosts ...string) {
	p := &b.run.Profile
	p.Targets = append(p.Targets, profiles.Target{
		Name: name, URL: url, Hosts: hosts, Share: 1, Requests: requests,
		Expect: profiles.StatusSet{{Low: 200, High: 299}},
	})
	for i := range p.Targets {
		p.Targets[i].Share = 1 / float64(len(p.Targets))
	}
}

// host adds a watched host with the processes that listen on ports of it.
func (b *bench) host(name, netns string, ports ...uint16) {
	h := profiles.Host{Name: name, Netns: netns}
	for _, p := range ports {
		h.Processes = append(h.Processes, profiles.Process{Listen: int(p)})
	}
	b.run.Profile.Hosts = append(b.run.Profile.Hosts, h)
}

// simple is the usual shape: one child, one target of the same name on one host.
func (b *bench) simple(c *Child, target string, requests []profiles.Request) {
	b.target(target, c.URL(), requests, target+"-1")
	b.host(target+"-1", c.Netns, c.Addr().Port())
}

// rampTo loads from a low rate through the rate of interest to beyond it.
func (b *bench) rampTo(from, to float64, over time.Duration) {
	b.run.Profile.Load = []profiles.Stage{
		{Kind: profiles.Hold, From: from, To: from, For: 3 * time.Second},
		{Kind: profiles.Ramp, From: from, To: to, For: over},
		{Kind: profiles.Hold, From: to, To: to, For: 3 * time.Second},
	}
}

// bursts loads in bursts with rests between them.
func (b *bench) bursts(size int, every, jitter, length time.Duration) {
	b.run.Profile.Load = []profiles.Stage{{Kind: profiles.Burst, BurstSize: size, Every: every, Jitter: jitter, For: length}}
}

// onset tells at which offered load the fault is due.
func (b *bench) onset(load, tolerance float64) {
	b.run.Expect.LoadLow, b.run.Expect.LoadHigh = load*(1-tolerance), load*(1+tolerance)
}

// post is a request with a body of the given size.
func post(path string, size int) []profiles.Request {
	return []profiles.Request{{
		Method: "POST", Path: path, Weight: 1, Body: strings.Repeat("p", size),
		Headers: []profiles.Header{{Name: "Content-Type", Value: "application/octet-stream"}},
	}}
}

// get is a request without a body.
func get(path string) []profiles.Request {
	return []profiles.Request{{Method: "GET", Path: path, Weight: 1}}
}

// arg formats a flag of a service.
func arg(name string, value any) string { return fmt.Sprintf("-%s=%v", name, value) }

// freePort returns a port of 127.0.0.1 that was free a moment ago, for programs
// that cannot choose one themselves.
func freePort() (uint16, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find free port: %w", err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).AddrPort().Port(), nil
}
