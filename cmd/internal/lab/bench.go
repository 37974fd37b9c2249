package lab

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/rampload/rampload/profiles"
)

// Bench is a scenario being set up, in parts: the numbers that its seed draws, the plan of
// the run, the programs that it starts, what it changes on this machine, and what it
// witnesses. What it started and changed is undone when the run stops.
type Bench struct {
	*ground
	Draws
	Plan
	Programs
	Machine
	Witness
}

// ground is what the parts of a bench have in common.
type ground struct {
	Ctx  context.Context
	Env  Env
	undo []func() error
}

// Undo has f called when the run has stopped, after all that was given later.
func (g *ground) Undo(f func() error) { g.undo = append(g.undo, f) }

func (g *ground) unwind() error {
	var errs []error
	for _, f := range slices.Backward(g.undo) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
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
		g := &ground{Ctx: ctx, Env: env}
		b := &Bench{
			ground: g, Draws: Draws{Rand: rand.New(rand.NewPCG(env.Seed, h.Sum64()))}, Plan: Plan{Run: &Running{}},
			Programs: Programs{ground: g}, Machine: Machine{ground: g}, Witness: Witness{ground: g, Tally: NewTally("scenario " + name)},
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

// stop takes the last readings, ends the children, whose truth is then complete, and
// undoes the rest.
func (b *Bench) stop() error {
	return errors.Join(b.Witness.end(), b.Programs.end(b.Tally), b.unwind())
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
