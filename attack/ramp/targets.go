package ramp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fill"
	"github.com/rampload/rampload/attack/journey"
	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/profiles"
)

// equipment gives a run its clients: what each target is reached by, and what is sent to it.
type equipment struct{ *run }

// connect lays out targets, groups and the mix, and makes the transports. After
// an error the caller closes what there is.
func (r equipment) connect() error {
	if err := followUp(r).followAll(); err != nil {
		return err
	}
	journeys := make([]*route, len(r.cfg.Profile.Journeys))
	for i, pt := range r.cfg.Profile.Targets {
		if pt.Journey > 0 {
			if err := r.step(journeys, uint16(i), pt); err != nil {
				return fmt.Errorf("plan step %s: %w", pt.Name, err)
			}
			continue
		}
		bases := pt.Bases()
		if len(bases) == 0 {
			return fmt.Errorf("plan target %s: %s has not been read", pt.Name, pt.File)
		}
		t := &target{addresses: make(map[netip.AddrPort]uint16)}
		total := 0.0
		for _, b := range bases {
			for _, q := range b.Requests {
				total += q.Weight
			}
		}
		for _, b := range bases {
			g := &group{target: uint16(i)}
			profile := pt
			profile.URL, profile.Requests, profile.File, profile.Read = b.URL, b.Requests, "", nil
			var own []float64
			for _, q := range b.Requests {
				g.endpoints = append(g.endpoints, uint32(len(t.endpoints)))
				t.endpoints = append(t.endpoints, endpoint{via: g})
				own = append(own, q.Weight)
				g.share += pt.Share * q.Weight / total
			}
			var err error
			if g.mix, err = schedule.NewMix([]float64{1}, [][]float64{own}); err != nil {
				return fmt.Errorf("plan target %s: %w", pt.Name, err)
			}
			if err := r.equip(g, t, profile, len(bases) > 1, nil); err != nil {
				return fmt.Errorf("plan target %s: %w", pt.Name, err)
			}
		}
		r.targets = append(r.targets, t)
	}
	var err error
	r.mix, err = newMix(r.cfg.Profile)
	return err
}

// clientConfig is what all clients of a run have in common.
func (r equipment) clientConfig(profile profiles.Target) attack.ClientConfig {
	return attack.ClientConfig{
		Target:  uint16(len(r.groups)), // numbers connections: each transport has its own range
		Profile: profile,
		Client:  r.cfg.Profile.Client,
		Data:    r.cfg.Profile.Data,
		RunID:   r.cfg.RunID,
		Tracing: attack.TracingOf(r.cfg.Profile.Traces),
		Clock:   r.now,
	}
}

// newMix says which request of which target each request of the schedule is.
func newMix(p profiles.Profile) (*schedule.Mix, error) {
	var shares []float64
	var weights [][]float64
	for _, t := range p.Targets {
		var w []float64
		for _, b := range t.Bases() {
			for _, q := range b.Requests {
				w = append(w, q.Weight)
			}
		}
		shares, weights = append(shares, t.Share), append(weights, w)
	}
	return schedule.NewMix(shares, weights)
}

// equip makes the transport of a group and compiles its requests.
func (r equipment) equip(g *group, t *target, profile profiles.Target, several bool, j *route) error {
	var vars []string
	if j != nil {
		vars = j.script.Vars()
	}
	cfg := r.clientConfig(profile)
	cfg.Vars = vars
	cfg.Callback = r.called(g.target, profile)
	asides := r.asides(g.target)
	cfg.OnAside = func(role profiles.Role, a attack.Attempt) {
		if number, ok := asides[role]; ok {
			a.Target = number
			r.agg.End(uint32(a.Conn.ID), &a)
		}
	}
	cfg.OnHold = func(due, start time.Duration) { r.agg.Dial(g.target, due, start) }
	cfg.OnIdle = func(a attack.Attempt) {
		a.Target = g.target
		if remap := g.remap.Load(); remap != nil {
			a.Conn.RemoteIndex = (*remap)[a.Conn.RemoteIndex]
		}
		r.agg.Idle(&a)
	}
	cfg.OnAddress = func(index uint16, addr netip.AddrPort) {
		if j != nil {
			r.addressOfAll(j, g, index, addr)
			return
		}
		r.address(g, t, several, index, addr)
	}
	tr, err := r.cfg.Open(cfg)
	if err != nil {
		return err
	}
	g.via = tr
	r.groups = append(r.groups, g)
	scope := fill.Scope{Tables: r.cfg.Profile.Data}
	for i, q := range profile.Requests {
		t.endpoints[g.endpoints[i]].tables = scope.TablesOf(q)
		compile := r.compile
		if cfg.Callback != "" { // another one than that of the plan
			compile = func(via attack.Client, q profiles.Request) (attack.Request, error) { return via.Compile(q) }
		}
		if t.endpoints[g.endpoints[i]].request, err = compile(tr, q); err != nil {
			return fmt.Errorf("request %d: %w", i+1, err)
		}
	}
	return nil
}

// asides returns the numbers of what is counted of a target beside its requests.
func (r equipment) asides(target uint16) map[profiles.Role]uint16 {
	out := make(map[profiles.Role]uint16)
	for i, c := range r.cfg.Profile.Counted() {
		if c.Target == int(target) && c.Role.Aside() {
			out[c.Role] = uint16(i)
		}
	}
	return out
}

// called is where the services of a group call back: one step of a journey at most has
// such a place at each of them. It is empty where nobody calls.
func (r equipment) called(number uint16, profile profiles.Target) string {
	for i, t := range r.cfg.Profile.Targets {
		of := t.Journey > 0 && t.Journey == profile.Journey && t.URL == profile.URL && t.ConnectTo == profile.ConnectTo && t.ServerName == profile.ServerName
		if f := r.followers[i]; f != nil && f.receiver != nil && (i == int(number) || of) {
			return f.receiver.URL
		}
	}
	return ""
}

// compile compiles a request once: requests are immutable, and those of the plan serve
// the load, whose connect asks in the same order.
func (r equipment) compile(via attack.Client, q profiles.Request) (attack.Request, error) {
	if slices.ContainsFunc(r.followers, func(f *follower) bool { return f != nil }) {
		return via.Compile(q) // with the address of a receiver of callbacks, a new one each time
	}
	if r.taken < len(r.compiled) {
		r.taken++
		return r.compiled[r.taken-1], nil
	}
	out, err := via.Compile(q)
	r.compiled = append(r.compiled, out)
	r.taken++
	return out, err
}

// step lays out a step of a journey: the first of a service makes the connections, which
// all that go there use.
func (r equipment) step(journeys []*route, index uint16, pt profiles.Target) error {
	t := &target{addresses: make(map[netip.AddrPort]uint16)}
	r.targets = append(r.targets, t)
	j := journeys[pt.Journey-1]
	if j == nil {
		of := r.cfg.Profile.Journeys[pt.Journey-1]
		script, err := journey.Compile(of)
		if err != nil {
			return err
		}
		j = &route{script: script, own: of.OwnConn}
		journeys[pt.Journey-1], t.journey = j, j
	}
	here := stop{target: index, at: r.cfg.Profile.Journeys[pt.Journey-1].Service(pt.Step)}
	if here.via = j.of(here.at); here.via == nil {
		here.via = &group{target: index, share: pt.Share}
		connections := pt
		connections.Requests, connections.Expect = nil, nil // each step judges its answers
		if err := r.equip(here.via, t, connections, false, j); err != nil {
			return err
		}
	}
	j.steps = append(j.steps, here)
	ep := endpoint{via: here.via, tables: fill.Scope{Tables: r.cfg.Profile.Data}.TablesOf(pt.Requests[0])}
	j.needs(ep.tables)
	var err error
	if ep.request, err = r.compile(here.via.via, pt.Requests[0]); err != nil {
		return err
	}
	t.endpoints = append(t.endpoints, ep)
	return nil
}

// addressOfAll tells the collector of a remote address that every step of a journey to
// one service uses.
func (r equipment) addressOfAll(j *route, g *group, index uint16, addr netip.AddrPort) {
	for _, s := range j.steps {
		if s.via == g {
			r.coll.Address(attack.Address{Target: s.target, Index: index, Addr: addr})
		}
	}
}

// address tells the collector of a remote address. A target with several groups
// numbers the addresses of all of them together.
func (r equipment) address(g *group, t *target, several bool, index uint16, addr netip.AddrPort) {
	if several {
		t.mu.Lock()
		own, known := t.addresses[addr]
		if !known {
			own = uint16(len(t.addresses) + 1)
			t.addresses[addr] = own
		}
		remap := []uint16{0}
		if old := g.remap.Load(); old != nil {
			remap = slices.Clone(*old)
		}
		for len(remap) <= int(index) {
			remap = append(remap, 0)
		}
		remap[index] = own
		g.remap.Store(&remap)
		t.mu.Unlock()
		if known {
			return
		}
		index = own
	}
	r.coll.Address(attack.Address{Target: g.target, Index: index, Addr: addr})
}
