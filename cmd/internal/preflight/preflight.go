// Package preflight looks at what a load needs before any of it is sent: whether targets can
// be spoken to, which limits of this machine are in the way, and whether so many requests
// can prove what the gates ask for.
package preflight

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"github.com/rampload/rampload/cmd/internal/watch"
	"github.com/rampload/rampload/probe/kernel"
	"github.com/rampload/rampload/profiles"
)

// preflightTimeout bounds one connection of the preflight.
const preflightTimeout = 3 * time.Second

// Look finds out before any load whether the targets can be spoken to, and
// what limits of this machine stand in the way. The error is for a target that
// cannot: exit 3; or for a client that cannot be made: exit 2.
func Look(ctx context.Context, p profiles.Profile) (warnings []string, err error) {
	if p.Fleet.Workers == 0 {
		warnings = PlanWarnings(p, ReadGeneratorLimits())
	}
	for _, t := range p.Targets {
		warnings = append(warnings, Unproxied(p, t)...)
	}
	warnings = append(warnings, TooFewRows(p)...)
	if p.Fleet.Workers > 0 {
		return warnings, nil // each worker looks for itself: the targets may be out of reach here
	}
	for _, t := range p.Targets {
		for _, base := range t.Bases() {
			if err := Knock(ctx, p, t, base); err != nil {
				return warnings, err
			}
		}
	}
	return warnings, ReadSchemas(ctx, p)
}

// ResolveTargets returns the addresses of each target's hosts: none for a Unix
// socket, and for a name that does not resolve here, as behind a proxy.
func ResolveTargets(ctx context.Context, targets []profiles.Target) [][]netip.Addr {
	out := make([][]netip.Addr, len(targets))
	for i, t := range targets {
		for _, base := range t.Bases() {
			for _, addr := range lookUp(ctx, watch.TargetHost(t.Reached(base))) {
				if !slices.Contains(out[i], addr) {
					out[i] = append(out[i], addr)
				}
			}
		}
	}
	return out
}

func lookUp(ctx context.Context, name string) []netip.Addr {
	if name == "" {
		return nil
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{addr.Unmap()}
	}
	ctx, cancel := context.WithTimeout(ctx, preflightTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return nil
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs
}

// ReadGeneratorLimits reads what bears on the generator; what cannot be read
// gives no warning.
func ReadGeneratorLimits() generatorLimits {
	out := generatorLimits{timeWait: timeWaitLength, cpus: runtime.NumCPU(), perVegeta: cpuPerVegeta, perDirect: cpuPerDirect}
	l, err := kernel.ReadLimits(kernel.Options{})
	if err != nil {
		return out
	}
	if l.Ports > 0 { // false for NaN
		out.ports = int(l.Ports)
	}
	if l.NoFileHard > 0 {
		out.files = uint64(l.NoFileHard) // a run raises its soft limit to the hard one
	}
	return out
}

// timeWaitLength is fixed in Linux (TCP_TIMEWAIT_LEN).
const timeWaitLength = time.Minute
