package ramp

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/completion"
	"github.com/rampload/rampload/profiles"
)

// Subscriber reads a topic: heard takes each message, with its key or, where the profile
// does not say where that is, its header X-Transaction-Id; blind is told when messages
// are missed, and when they come again. The error says that nobody can read it.
type Subscriber func(t profiles.Topic, heard func(key string, reply *attack.Reply) bool, blind func(bool)) (stop func(), err error)

// follower follows what one target accepts.
type follower struct {
	*completion.Tracker
	transactions uint16 // the number that they are counted as
	polls        uint16 // likewise; 0: it is not asked
	receiver     *completion.Receiver
	unsubscribe  func()
}

func (f *follower) close() {
	if f == nil {
		return
	}
	if f.receiver != nil {
		f.receiver.Close()
	}
	if f.unsubscribe != nil {
		f.unsubscribe()
	}
}

// followUp finds out what became of the transactions that targets have accepted.
type followUp struct{ *run }

// followAll makes the followers of all targets that have a completion.
func (r followUp) followAll() error {
	p := r.cfg.Profile
	r.followers = make([]*follower, max(len(p.Counted()), len(p.Targets)))
	for i, c := range p.Counted() {
		of := p.Targets[c.Target].Completion
		if c.Role != profiles.RoleCompletion {
			continue
		}
		f := &follower{transactions: uint16(i)}
		if of.Via == profiles.ViaPoll {
			f.polls = uint16(i + 1) // they follow each other: see Counted
		}
		r.followers[c.Target] = f
		if err := r.followOne(f, p.Targets[c.Target]); err != nil {
			return fmt.Errorf("follow what target %s accepts: %w", p.Targets[c.Target].Name, err)
		}
	}
	return nil
}

func (r followUp) followOne(f *follower, t profiles.Target) error {
	cfg := completion.Config{
		Spec: t.Completion, RunID: r.cfg.RunID, Transactions: f.transactions, Polls: f.polls, Clock: r.now,
		Count: func(a *attack.Attempt) { r.agg.End(uint32(a.Request), a) },
	}
	if t.Completion.Via == profiles.ViaPoll {
		cfg.Base = t.URL
		if url := t.Completion.Poll.URL; url != "" {
			cfg.Base = url
		}
		var err error
		if cfg.Poller, err = r.poller(f.polls, t, cfg.Base); err != nil {
			return err
		}
	}
	var err error
	if f.Tracker, err = completion.New(cfg); err != nil {
		return err
	}
	switch t.Completion.Via {
	case profiles.ViaCallback:
		f.receiver, err = completion.Receive(t.Completion.Callback, t.URL, func(key string, reply *attack.Reply) bool {
			return completion.OfRun(r.cfg.RunID, key) && f.Heard(key, reply)
		})
	case profiles.ViaNATS:
		if r.cfg.Subscribe == nil {
			return fmt.Errorf("nobody reads %s here", t.Completion.Topic.Subject)
		}
		f.unsubscribe, err = r.cfg.Subscribe(t.Completion.Topic, f.Heard, f.Blind)
	}
	return err
}

// poller makes the client of polls: its connections are counted as those of the polls.
func (r followUp) poller(number uint16, t profiles.Target, base string) (attack.Client, error) {
	if base != t.URL {
		t.ConnectTo, t.ServerName = "", ""
	}
	t.URL, t.Requests, t.Expect, t.Read = completion.Origin(base), nil, nil, nil // each answer is judged by its transaction
	cfg := equipment(r).clientConfig(t)
	cfg.Client.Connections, cfg.Client.CloseFirst = completion.PollConnections, false
	g, to := &group{target: number}, &target{addresses: map[netip.AddrPort]uint16{}}
	cfg.OnIdle = func(a attack.Attempt) {
		a.Target = number
		r.agg.Idle(&a)
	}
	cfg.OnAddress = func(index uint16, addr netip.AddrPort) { equipment(r).address(g, to, false, index, addr) }
	var err error
	if g.via, err = r.cfg.Open(cfg); err != nil {
		return nil, err
	}
	r.groups = append(r.groups, g)
	return g.via, nil
}

// follow begins to follow, and returns what ends it: when the last request has ended,
// what is pending is waited for.
func (r followUp) follow() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running, draining sync.WaitGroup
	for _, f := range r.followers {
		if f != nil {
			running.Go(func() { f.Run(ctx) })
		}
	}
	return func() {
		for _, f := range r.followers {
			if f != nil {
				draining.Go(func() { f.Drain(r.broken) })
			}
		}
		draining.Wait()
		cancel()
		for _, g := range r.groups { // polls whose transactions were given up
			if len(g.endpoints) == 0 && r.polls(g.target) {
				g.via.Abort()
			}
		}
		running.Wait()
	}
}

func (r followUp) polls(number uint16) bool { return int(number) >= len(r.cfg.Profile.Targets) }

// following returns how many transactions, or polls, with a number are pending.
func (r followUp) following(number int) int64 {
	for _, f := range r.followers {
		if f == nil {
			continue
		}
		transactions, polls := f.Pending()
		switch number {
		case int(f.transactions):
			return transactions
		case int(f.polls):
			return polls
		}
	}
	return 0
}
