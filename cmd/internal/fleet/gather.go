package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/cmd/internal/bus"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/cmd/internal/fleet/roster"
	"github.com/rampload/rampload/report/runlog"
)

// gathering finds the machines of a run and makes them ready.
type gathering struct{ *Lead }

// gatherWorkers finds as many workers as are wanted that are free and willing.
func (l gathering) gatherWorkers(ctx context.Context) error {
	want := l.cfg.Workers
	if want == 0 {
		return nil
	}
	spoken := protocol.Spoken(true)
	found, err := l.cfg.Conn.Find(ctx, bus.RoleWorker, cmp.Or(l.cfg.Within, workersIn), func(all []bus.Found) bool {
		fit := 0
		for _, f := range all {
			if roster.Fits(f, spoken, l.cfg.Version) == nil {
				fit++
			}
		}
		return fit >= want
	})
	if err != nil {
		return err
	}
	var free []*remote
	var chosen []bus.Found
	var not []string
	names := map[string]int{}
	for i, f := range found {
		if len(free) == want {
			break
		}
		if err := roster.Fits(f, spoken, l.cfg.Version); err != nil {
			not = append(not, err.Error())
			continue
		}
		r := &remote{id: f.ID, name: f.Name, role: bus.RoleWorker, heard: time.Now(), orders: make(chan protocol.Order, 256)}
		if names[f.Name]++; names[f.Name] > 1 {
			r.name = fmt.Sprintf("%s-%d", f.Name, names[f.Name])
		}
		beside := roster.Beside(chosen, f, found[i+1:min(len(found), i+want-len(free))])
		a, err := l.prepare(ctx, r, len(free), beside)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && a.Busy, errors.Is(err, bus.ErrNobody):
			not = append(not, cmp.Or(a.Error, r.name+" does not answer"))
			continue
		case err != nil:
			return fmt.Errorf("worker %s: %w", r.name, err)
		}
		for _, w := range a.Warnings {
			l.notes = append(l.notes, "worker "+r.name+": "+w)
		}
		free, chosen = append(free, r), append(chosen, f)
	}
	if len(free) < want {
		return l.tooFew(len(free), found, not)
	}
	for _, why := range not {
		l.notes = append(l.notes, "left out: "+why)
	}
	return nil
}

// tooFew says who is there.
func (l gathering) tooFew(free int, found []bus.Found, not []string) error {
	text := fmt.Sprintf("fleet.workers: %d are wanted, and %d answer on %s", l.cfg.Workers, free, l.cfg.Conn.Where())
	if len(found) > 0 {
		var names []string
		for _, f := range found {
			names = append(names, f.Name)
		}
		text += " (" + strings.Join(names, ", ") + ")"
	}
	if len(not) > 0 {
		text += "; " + strings.Join(not, "; ")
	}
	return errors.New(text + ": start rampload worker --nats URL --allow-target URL on the others")
}

// prepare lets a worker get ready for a slice. From then on it belongs to the run.
func (l gathering) prepare(ctx context.Context, r *remote, slice int, beside protocol.Beside) (protocol.Answer, error) {
	a, err := l.cfg.Assign(slice, l.cfg.Workers)
	if err != nil {
		return protocol.Answer{}, err
	}
	a.Beside = beside
	a.Header.RunID, a.Header.Role, a.Header.Member, a.Header.Slice, a.Header.Slices = l.cfg.Run, runlog.RoleWorker, r.name, slice, l.cfg.Workers
	l.mu.Lock()
	l.last++
	r.part = l.last
	l.mu.Unlock()
	said, err := l.call(ctx, r, protocol.Order{Kind: protocol.OrderPrepare, Part: r.part, Assignment: &a}, prepareIn)
	if err != nil {
		return said, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r.slices, r.heard = []int{slice}, time.Now()
	l.members, l.owners = append(l.members, r), append(l.owners, r)
	l.parts.expect(r.part, r, slice)
	return said, nil
}

// gatherAgents finds the agents that are wanted.
func (l gathering) gatherAgents(ctx context.Context) {
	if len(l.cfg.Agents) == 0 {
		return
	}
	found, err := l.cfg.Conn.Find(ctx, bus.RoleAgent, cmp.Or(l.cfg.Within, agentsIn), func(found []bus.Found) bool {
		for _, r := range l.cfg.Agents {
			if !slices.ContainsFunc(found, func(f bus.Found) bool { return f.Name == r.Agent }) {
				return false
			}
		}
		return true
	})
	for _, request := range l.cfg.Agents {
		if err == nil {
			err = l.watch(ctx, request, found)
		}
		if err != nil {
			l.failed[request.Name] = err
		}
		err = nil
	}
}

// watch lets one agent begin its record.
func (l gathering) watch(ctx context.Context, request protocol.Request, found []bus.Found) error {
	name := request.Agent
	var ids, names []string
	var other error // of another version
	for _, f := range found {
		if names = append(names, f.Name); f.Name == name {
			ids, other = append(ids, f.ID), roster.Fits(f, protocol.Spoken(false), l.cfg.Version)
		}
	}
	switch {
	case len(ids) == 0 && len(names) == 0:
		return fmt.Errorf("no agent answers on %s: start rampload agent --nats URL --name %s there", l.cfg.Conn.Where(), name)
	case len(ids) == 0:
		return fmt.Errorf("no agent called %s answers on %s, only %s: start rampload agent --nats URL --name %s there", name, l.cfg.Conn.Where(), strings.Join(names, ", "), name)
	case len(ids) > 1:
		return fmt.Errorf("%d agents are called %s: give each its own --name", len(ids), name)
	case other != nil:
		return other
	}
	_, err := l.engage(ctx, request, ids[0])
	return err
}

// engage lets the agent with an id begin a record.
func (l gathering) engage(ctx context.Context, request protocol.Request, id string) (*remote, error) {
	r := &remote{id: id, name: request.Name, host: request.Name, role: bus.RoleAgent, request: request, heard: time.Now(), orders: make(chan protocol.Order, 16)}
	l.mu.Lock()
	l.last++
	r.part = l.last
	l.mu.Unlock()
	request.Version = protocol.Version
	l.parts.expect(r.part, r, -1) // its record may come before its answer
	said, err := l.call(ctx, r, protocol.Order{Kind: protocol.OrderWatch, Part: r.part, Request: &request}, prepareIn)
	if err != nil {
		l.parts.forget(r.part)
		return nil, err
	}
	r.header = said.Header
	l.mu.Lock()
	over := l.over
	if !over {
		r.heard = time.Now()
		l.members = append(l.members, r)
	}
	l.mu.Unlock()
	if over {
		l.parts.forget(r.part)
		_, _ = l.call(ctx, r, protocol.Order{Kind: protocol.OrderEnd}, callIn)
		return nil, errOver
	}
	return r, nil
}
