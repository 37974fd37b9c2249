package fleetcmd

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/profiles"
)

// allowance is what the owner of a worker lets runs do with it. Each is a pattern as
// path.Match knows them.
type allowance struct {
	targets   []string // host:port, or unix: and the path of a socket
	callbacks []string // host:port to listen at
}

func parseAllowance(targets, callbacks []string) (allowance, error) {
	out := allowance{callbacks: callbacks}
	for _, text := range targets {
		pattern, err := parseAllowed(text)
		if err != nil {
			return out, err
		}
		out.targets = append(out.targets, pattern)
	}
	for _, text := range callbacks {
		if host, port, err := net.SplitHostPort(text); err != nil || host == "" || port == "" {
			return out, fmt.Errorf("--allow-callback %q: write host and port to listen at, such as 0.0.0.0:9099", text)
		}
	}
	return out, nil
}

// parseAllowed returns the host:port that --allow-target stands for, or the path of a
// socket.
func parseAllowed(text string) (string, error) {
	if u, err := url.Parse(text); err == nil && u.Scheme == "unix" {
		return "unix:" + u.Path, nil
	} else if err == nil && u.Host != "" {
		return place(u), nil
	}
	if h, port, err := net.SplitHostPort(text); err == nil && h != "" && port != "" && !strings.Contains(text, "/") {
		return strings.ToLower(text), nil
	}
	return "", fmt.Errorf("--allow-target %q: write the URL of a target, such as http://orders.internal:8080, or host:port", text)
}

// place is where a URL's connections go.
func place(u *url.URL) string {
	port := u.Port()
	switch scheme, ok := profiles.FindScheme(u.Scheme); {
	case port != "":
	case ok:
		port = strconv.Itoa(scheme.Port)
	case u.Scheme == "nats" || u.Scheme == "tls":
		port = "4222"
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), cmp.Or(port, "80"))
}

// target returns why a target may not be sent to: at its own address, or at those that
// tell what became of what it accepted.
func (a allowance) target(t profiles.Target) error {
	for _, base := range t.Bases() {
		for _, raw := range []string{base.URL, t.Reached(base)} {
			if err := a.reaches("target "+t.Name, raw); err != nil {
				return err
			}
		}
	}
	c := t.Completion
	for _, raw := range []string{c.Poll.URL, c.Topic.URL} {
		if raw == "" {
			continue
		}
		if err := a.reaches("completion of target "+t.Name, raw); err != nil {
			return err
		}
	}
	if at := c.Callback.Listen; c.Via == profiles.ViaCallback && !matches(a.callbacks, at) {
		return fmt.Errorf("target %s is to call back at %s, and this worker listens nowhere that it was not told to: start it with --allow-callback %s", t.Name, at, at)
	}
	return nil
}

func (a allowance) reaches(what, raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	at := "unix:" + u.Path
	if u.Scheme != "unix" {
		at = place(u)
	}
	if !matches(a.targets, at) {
		return fmt.Errorf("%s at %s is not one of those that this worker sends to (%s): start it with --allow-target %s", what, at, strings.Join(a.targets, ", "), at)
	}
	return nil
}

func matches(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(pattern, text)
		return pattern == text || err == nil && ok
	})
}

// ownSources returns the addresses that a worker sends from: of those of the profile
// its machine's own, shared with the other workers there as far as they go round.
func ownSources(of []netip.Addr, own []string, beside protocol.Beside) ([]netip.Addr, error) {
	if len(of) == 0 {
		return nil, nil
	}
	var here, mine []netip.Addr
	for _, addr := range of {
		if slices.Contains(own, addr.String()) {
			here = append(here, addr)
		}
	}
	if len(here) == 0 {
		return nil, fmt.Errorf("client.local-addresses: none of %s is an address of this machine: name one of each worker's", joined(of))
	}
	for i, addr := range here {
		if beside.Of < 2 || i%beside.Of == beside.Rank%beside.Of {
			mine = append(mine, addr)
		}
	}
	if len(here) < beside.Of {
		return here, nil // too few for each to have its own
	}
	return mine, nil
}

func joined(addrs []netip.Addr) string {
	var out []string
	for _, a := range addrs {
		out = append(out, a.String())
	}
	return strings.Join(out, ", ")
}

// machineID and networkID tell workers on one machine, and in one network namespace of
// it: they share its processors, and its source ports. Empty: it cannot be told.
func machineID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

func networkID() string {
	ns, err := os.Readlink("/proc/thread-self/ns/net")
	if id := machineID(); err == nil && id != "" {
		return id + " " + ns
	}
	return ""
}
