package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/cmd/internal/bus"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/cmd/internal/fleet/roster"
	"github.com/rampload/rampload/profiles"
)

// DefaultListen is where the own server of a run listens, where its profile names no
// address.
const DefaultListen = "127.0.0.1:4222"

// Meeting is the coordinator's place on the bus: its own server, or one that is there.
type Meeting struct {
	Conn, Beats *bus.Conn
	server      *bus.Server
	store       string
}

// Needed reports whether others take part in a profile's run over the bus.
func Needed(p profiles.Profile) bool {
	for _, h := range p.Hosts {
		if h.Agent.Name != "" || h.Kubernetes != "" && OnBus(p) {
			return true
		}
	}
	return p.Fleet.Workers > 0
}

// OnBus reports whether there may be agents on the bus that a profile does not name, such
// as those of a cluster's nodes.
func OnBus(p profiles.Profile) bool {
	named := slices.ContainsFunc(p.Hosts, func(h profiles.Host) bool { return h.Agent.Name != "" })
	return named || p.Fleet.NATS != "" || p.Fleet.Workers > 0
}

// Meet connects to the server of a fleet, or starts one whose streams are kept in the
// folder store. A server that does not answer yet is waited for as long as the profile
// says. The error says in one line what stands in the way.
func Meet(ctx context.Context, f profiles.Fleet, store string, warn func(string)) (*Meeting, error) {
	m := &Meeting{}
	cfg := bus.Config{URL: f.NATS, Creds: f.Creds, CA: f.CA, Role: bus.RoleCoordinator}
	if f.NATS == "" {
		set := ""
		if f.Creds != "" {
			if set = bus.SetOf(f.Creds); set == "" {
				return nil, fmt.Errorf("fleet.creds: %s is not in a folder that rampload fleet creds wrote, and the own server needs its other files", f.Creds)
			}
		}
		server, err := bus.StartServer(bus.ServerConfig{Listen: cmp.Or(f.Listen, DefaultListen), Store: store, Set: set})
		if err != nil {
			os.Remove(store) // if it is empty
			return nil, err
		}
		m.server, m.store, cfg.Own = server, store, server
	}
	var err error
	if m.Beats, err = dial(ctx, cfg, f.Within); err != nil {
		m.Close(true)
		return nil, err
	}
	cfg.Notice = func(n bus.Notice) {
		switch {
		case n.Err != nil && warn != nil:
			warn(n.Err.Error())
		case n.Up && n.Err == nil && warn != nil:
			warn("connected again to " + m.Conn.Where())
		}
	}
	if m.Conn, err = bus.Dial(cfg); err != nil {
		m.Close(true)
		return nil, err
	}
	return m, nil
}

// dialEvery is how often a server is tried that does not answer yet.
const dialEvery = time.Second

// dial connects to a server that answers within a time.
func dial(ctx context.Context, cfg bus.Config, within time.Duration) (*bus.Conn, error) {
	late := time.Now().Add(within)
	for {
		conn, err := bus.Dial(cfg)
		if err == nil || errors.Is(err, bus.ErrRefused) || time.Now().Add(dialEvery).After(late) {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(dialEvery):
		}
	}
}

// Look says who answers of those that a profile's run needs, a line each. version is that
// of this rampload.
func Look(ctx context.Context, p profiles.Profile, version string) []string {
	store, err := os.MkdirTemp("", "rampload-check-")
	if err != nil {
		return []string{err.Error()}
	}
	defer os.RemoveAll(store)
	now := p.Fleet
	now.Within = 0 // a look is short
	m, err := Meet(ctx, now, store, nil)
	if err != nil {
		return []string{err.Error()}
	}
	defer m.Close(true)
	var out []string
	if n := p.Fleet.Workers; n > 0 {
		found, err := m.Conn.Find(ctx, bus.RoleWorker, agentsIn, func(f []bus.Found) bool { return len(f) >= n })
		var fit, not []string
		for _, f := range found {
			if other := roster.Fits(f, protocol.Spoken(true), version); other != nil {
				not = append(not, fmt.Sprintf("%-12s worker %s", f.Name, other))
			} else {
				fit = append(fit, f.Name)
			}
		}
		text := fmt.Sprintf("workers      %d of %d answer on %s: %s", len(fit), n, m.Conn.Where(), strings.Join(fit, ", "))
		if err != nil {
			text = err.Error()
		}
		out = append(append(out, strings.TrimSuffix(text, ": ")), not...)
	}
	for _, h := range p.Hosts {
		name := h.AgentName()
		if name == "" {
			continue
		}
		there := func(f bus.Found) bool { return f.Name == name }
		found, err := m.Conn.Find(ctx, bus.RoleAgent, agentsIn, func(f []bus.Found) bool { return slices.ContainsFunc(f, there) })
		text := fmt.Sprintf("%-12s no agent called %s answers on %s", h.Name, name, m.Conn.Where())
		switch i := slices.IndexFunc(found, there); {
		case err != nil:
			text = err.Error()
		case i >= 0:
			text = fmt.Sprintf("%-12s agent %s answers: rampload %s, kernel %s", h.Name, name, found[i].Metadata["rampload"], found[i].Metadata["kernel"])
			if other := roster.Fits(found[i], protocol.Spoken(false), version); other != nil {
				text = fmt.Sprintf("%-12s agent %s", h.Name, other)
			}
		}
		out = append(out, text)
	}
	return out
}

// Store is the folder with the own server's streams; empty without one.
func (m *Meeting) Store() string { return m.store }

// Close ends the connections and the own server. With forget, nothing of what was
// recorded is needed any more.
func (m *Meeting) Close(forget bool) {
	for _, c := range []*bus.Conn{m.Beats, m.Conn} {
		if c != nil {
			c.Close()
		}
	}
	if m.server == nil {
		return
	}
	m.server.Close()
	if forget {
		os.RemoveAll(m.store)
	}
}
