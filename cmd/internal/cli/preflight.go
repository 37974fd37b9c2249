package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/rampload/rampload/probe/kernel"
	"github.com/rampload/rampload/profiles"
)

// preflightTimeout bounds one connection of the preflight.
const preflightTimeout = 3 * time.Second

// errNoAnswer says that a target answered no connection.
var errNoAnswer = errors.New("answers no connection")

// reach opens one connection to a target and closes it: a load on nothing is a
// waste of everybody's time.
func reach(ctx context.Context, name, url string, proxied bool) error {
	network, address, err := dialAddress(url, proxied)
	if err != nil {
		return err
	}
	d := net.Dialer{Timeout: preflightTimeout}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return fmt.Errorf("target %s: %s %w: %w; %s", name, address, errNoAnswer, cause(err), hint(err))
	}
	return conn.Close()
}

// dialAddress is where connections to a URL go: to its host, or to the
// environment's proxy for it.
func dialAddress(raw string, proxied bool) (network, address string, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", "", fmt.Errorf("parse target URL: %w", err)
	}
	if u.Scheme == "unix" {
		return "unix", u.Path, nil
	}
	if proxied {
		proxy, err := httpproxy.FromEnvironment().ProxyFunc()(u)
		if err != nil {
			return "", "", fmt.Errorf("find the proxy for %s: %w", u.Host, err)
		}
		if proxy != nil {
			u = proxy
		}
	}
	return "tcp", net.JoinHostPort(u.Hostname(), strconv.Itoa(listenPort(u.String()))), nil
}

// cause strips the layers that repeat the address.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return fmt.Errorf("%s does not resolve", dns.Name)
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

func hint(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return "check the name in its url"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "start the service, or check the port in its url"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "check the address and the firewall between"
	}
	return "check its url"
}

// preflight finds out before any load whether the targets answer, and what
// limits of this machine stand in the way. The error is for a target that
// answers no connection.
func preflight(ctx context.Context, p profiles.Profile) (warnings []string, err error) {
	warnings = planWarnings(p, readGeneratorLimits())
	for _, t := range p.Targets {
		for _, base := range t.Bases() {
			if err := reach(ctx, t.Name, base.URL, p.Client.Proxy); err != nil {
				return warnings, err
			}
		}
	}
	return warnings, nil
}

// resolveTargets returns the addresses of each target's hosts: none for a Unix
// socket, and for a name that does not resolve here, as behind a proxy.
func resolveTargets(ctx context.Context, targets []profiles.Target) [][]netip.Addr {
	out := make([][]netip.Addr, len(targets))
	for i, t := range targets {
		for _, base := range t.Bases() {
			for _, addr := range lookUp(ctx, targetHost(base.URL)) {
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

// readGeneratorLimits reads what bears on the generator; what cannot be read
// gives no warning.
func readGeneratorLimits() generatorLimits {
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
