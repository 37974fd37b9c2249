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

// Bench is a scenario being set up: what it has drawn from its seed, started,
// and has to undo.
type Bench struct {
	Ctx      context.Context
	Env      Env
	Rand     *rand.Rand
	Run      *Running
	children []*Child
	undo     []func() error
	Tally    *Tally
	Final    []func()       // last readings, before children and what undo removes are gone
	watching []func() error // ends a watch after a last look
}

// maker makes one scenario; a control has the family "controls" and the cause
// "healthy".
type maker func(family, cause, name, about string, fill func(*Bench) error, needs ...Need) Scenario

// Needing makes scenarios that need the same things, Linux among them.
func Needing(common ...Need) maker {
	return func(family, cause, name, about string, fill func(*Bench) error, needs ...Need) Scenario {
		return Scenario{
			Name: name, Family: family, Cause: cause, About: about,
			Needs: slices.Concat([]Need{NeedLinux}, common, needs), Start: Setup(name, fill),
		}
	}
}

// InNetwork makes scenarios that have network namespaces and need programs.
func InNetwork(programs ...Need) maker {
	return Needing(append([]Need{NeedRoot, "ip", "nft"}, programs...)...)
}

// Setup is the Start function of a scenario: it fills in the bench's Running.
// What it started before an error is undone.
func Setup(name string, fill func(*Bench) error) func(context.Context, Env) (*Running, error) {
	return func(ctx context.Context, env Env) (*Running, error) {
		h := fnv.New64a()
		h.Write([]byte(name))
		b := &Bench{
			Ctx: ctx, Env: env, Rand: rand.New(rand.NewPCG(env.Seed, h.Sum64())),
			Run: &Running{}, Tally: NewTally("scenario " + name),
		}
		b.Run.Profile = profiles.Profile{
			Name:   name,
			Client: profiles.Client{Connections: 400, MaxInFlight: 4000, Timeout: 2 * time.Second, IdleTimeout: 90 * time.Second, Engine: profiles.EngineVegeta, Protocol: profiles.ProtocolHTTP1},
		}
		var once sync.Once
		var stopErr error
		b.Run.Truth = b.Tally.Truth
		b.Run.Stop = func() error {
			once.Do(func() { stopErr = b.stop() })
			return stopErr
		}
		if err := fill(b); err != nil {
			return nil, fmt.Errorf("start scenario %s: %w", name, errors.Join(err, b.Run.Stop()))
		}
		return b.Run, nil
	}
}

// stop ends the children, collects their truth and undoes the rest in reverse.
func (b *Bench) stop() error {
	var errs []error
	for _, end := range b.watching {
		errs = append(errs, end())
	}
	for _, f := range b.Final {
		f()
	}
	for i := len(b.children) - 1; i >= 0; i-- {
		c := b.children[i]
		truth, err := c.Stop()
		b.Tally.Add(truth)
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

// Watch calls look regularly, and once more at the end.
func (b *Bench) Watch(look func(), every time.Duration) {
	ctx, cancel := context.WithCancel(b.Ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for Wait(ctx, every) {
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

// Later calls f beside the run; f returns when its context ends. Its error is
// that of Running.Stop.
func (b *Bench) Later(f func(context.Context) error) {
	ctx, cancel := context.WithCancel(b.Ctx)
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	b.watching = append(b.watching, func() error {
		cancel()
		return <-done
	})
}

// Between draws a number.
func (b *Bench) Between(low, high float64) float64 { return low + b.Rand.Float64()*(high-low) }

// Whole draws a whole number, both ends included.
func (b *Bench) Whole(low, high int) int { return low + b.Rand.IntN(high-low+1) }

// Millis draws a duration in whole milliseconds.
func (b *Bench) Millis(low, high int) time.Duration {
	return time.Duration(b.Whole(low, high)) * time.Millisecond
}

// Child starts a service in a namespace ("" is this one).
func (b *Bench) Child(netns, name string, args ...string) (*Child, error) {
	return b.Start(&Child{Netns: netns, Name: name, Args: args})
}

func (b *Bench) Start(c *Child) (*Child, error) {
	c.Exe, c.Prefix = b.Env.Exe, b.Env.Prefix
	errs, err := os.OpenFile(filepath.Join(b.Env.Dir, c.Name+".err"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	b.undo = append(b.undo, errs.Close)
	c.Stderr = errs
	if err := c.Start(b.Ctx); err != nil {
		return nil, fmt.Errorf("%w %s", err, b.complaint(c))
	}
	b.children = append(b.children, c)
	return c, nil
}

// complaint returns what a child wrote to its standard error, the end of it.
func (b *Bench) complaint(c *Child) string {
	text, _ := os.ReadFile(filepath.Join(b.Env.Dir, c.Name+".err"))
	return strings.TrimSpace(string(text[max(0, len(text)-500):]))
}

// Supervised starts a service below a supervisor.
func (b *Bench) Supervised(netns string, flags []string, name string, args ...string) (*Child, error) {
	prefix := "lab-service"
	if len(b.Env.Prefix) > 0 {
		prefix = b.Env.Prefix[0]
	}
	all := append([]string{"-prefix=" + prefix}, flags...)
	return b.Child(netns, "supervise", append(append(all, name), args...)...)
}

// Target adds a target with one kind of request, served by the named hosts.
func (b *Bench) Target(name, url string, requests []profiles.Request, hosts ...string) {
	p := &b.Run.Profile
	p.Targets = append(p.Targets, profiles.Target{
		Name: name, URL: url, Hosts: hosts, Share: 1, Requests: requests,
		Expect: profiles.StatusSet{{Low: 200, High: 299}},
	})
	for i := range p.Targets {
		p.Targets[i].Share = 1 / float64(len(p.Targets))
	}
}

// Host adds a watched host with the processes that listen on ports of it.
func (b *Bench) Host(name, netns string, ports ...uint16) {
	h := profiles.Host{Name: name, Netns: netns}
	for _, p := range ports {
		h.Processes = append(h.Processes, profiles.Process{Listen: int(p)})
	}
	b.Run.Profile.Hosts = append(b.Run.Profile.Hosts, h)
}

// Simple is the usual shape: one child, one target of the same name on one host.
func (b *Bench) Simple(c *Child, target string, requests []profiles.Request) {
	b.Target(target, c.URL(), requests, target+"-1")
	b.Host(target+"-1", c.Netns, c.Addr().Port())
}

// RampTo loads from a low rate through the rate of interest to beyond it.
func (b *Bench) RampTo(from, to float64, over time.Duration) {
	b.Run.Profile.Load = profiles.Load{
		profiles.Hold{Rate: from, For: 3 * time.Second},
		profiles.Ramp{From: from, To: to, For: over},
		profiles.Hold{Rate: to, For: 3 * time.Second},
	}
}

// Bursts loads in bursts with rests between them.
func (b *Bench) Bursts(size int, every, jitter, length time.Duration) {
	b.Run.Profile.Load = profiles.Load{profiles.Burst{Size: size, Every: every, Jitter: jitter, For: length}}
}

// Onset tells at which offered load the fault is due.
func (b *Bench) Onset(load, tolerance float64) {
	b.Run.Expect.LoadLow, b.Run.Expect.LoadHigh = load*(1-tolerance), load*(1+tolerance)
}

// Post is a request with a body of the given size.
func Post(path string, size int) []profiles.Request {
	return []profiles.Request{{
		Method: "POST", Path: path, Weight: 1, Body: strings.Repeat("p", size),
		Headers: []profiles.Header{{Name: "Content-Type", Value: "application/octet-stream"}},
	}}
}

// Get is a request without a body.
func Get(path string) []profiles.Request {
	return []profiles.Request{{Method: "GET", Path: path, Weight: 1}}
}

// Arg formats a flag of a service.
func Arg(name string, value any) string { return fmt.Sprintf("-%s=%v", name, value) }

// FreePort returns a port of 127.0.0.1 that was free a moment ago, for programs
// that cannot choose one themselves.
func FreePort() (uint16, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find free port: %w", err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).AddrPort().Port(), nil
}

// Wait waits, and reports false if ctx ended first.
func Wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
