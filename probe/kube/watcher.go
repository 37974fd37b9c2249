package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rampload/rampload/probe"
)

// SourceName is the name of a [Watcher]'s source.
const SourceName = "pod events"

// Watcher tells what happens to a workload's pods, as [probe.PodChange].
type Watcher struct {
	client *Client
	found  *Found
	clock  probe.Clock
	host   string
	nodes  map[string]string // hosts by the nodes that they stand for; nil: nobody watches nodes

	mu      sync.Mutex
	missing []*probe.Unsupported
}

var (
	_ probe.Watcher       = (*Watcher)(nil)
	_ probe.PartialSource = (*Watcher)(nil)
)

// Watcher returns a watcher of what was found, for a host of a profile. nodes are the
// hosts of nodes with agents: what happens to a pod there happens to that host. Of a pod
// that comes up elsewhere is said that nobody watches it.
func (c *Client) Watcher(found *Found, host string, nodes map[string]string, clock probe.Clock) *Watcher {
	return &Watcher{client: c, found: found, host: host, nodes: nodes, clock: clock}
}

// Source names the watcher in reports.
func (w *Watcher) Source() probe.Source { return probe.Source{Host: w.host, Name: SourceName} }

// Missing says what could not be seen.
func (w *Watcher) Missing() []*probe.Unsupported {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.missing)
}

func (w *Watcher) miss(what, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.missing {
		if m.What == what {
			return
		}
	}
	w.missing = append(w.missing, &probe.Unsupported{What: what, Reason: reason})
}

// Watch tells of the pods until ctx is done. A server that is away is waited for; a right
// that is missing ends it.
func (w *Watcher) Watch(ctx context.Context, emit func(probe.Event)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	state := newPods(w.Source(), w.clock, w.nodes)
	state.all(w.found.raw, w.clock.Now()) // no news; what is told begins where they were found
	steps := make(chan func())            // what follows runs here: state and emit are this goroutine's
	do := func(step func()) {
		select {
		case steps <- step:
		case <-ctx.Done():
		}
	}
	told := func(events []probe.Event) {
		for _, e := range events {
			emit(e)
		}
	}
	lost := map[string]time.Duration{} // since when a part of the API does not answer
	away := func(what string) func(error) {
		return func(err error) {
			at := w.clock.Now()
			do(func() {
				since, before := lost[what]
				switch {
				case err != nil && !before:
					lost[what] = at
					w.miss(what+" from "+sinceStart(at)+" on", err.Error())
				case err == nil && before:
					delete(lost, what)
					emit(probe.Event{Kind: probe.Gap, At: since, Source: w.Source(), Host: w.host, Value: (at - since).Seconds()})
				}
			})
		}
	}
	space := w.found.Workload.Namespace
	podsFollowed := &follower[pod]{
		client: w.client, what: request{resource: "pods", namespace: space, query: w.found.query}, away: away("pods"),
		all: func(items []pod) {
			at := w.clock.Now()
			do(func() {
				w.placed(items...)
				told(state.all(items, at))
			})
		},
		changed: func(p pod, gone bool) {
			at := w.clock.Now()
			do(func() {
				if !gone {
					w.placed(p)
				}
				told(state.see(p, gone, at))
			})
		},
	}
	events := &follower[notice]{
		client: w.client, what: request{resource: "events", namespace: space, query: map[string][]string{"fieldSelector": {"involvedObject.kind=Pod"}}}, away: away("what is said of pods"),
		all: func() func([]notice) {
			first := true
			return func(items []notice) {
				at, old := w.clock.Now(), first
				first = false
				do(func() {
					for _, n := range items {
						if e := state.said(n, at); !old {
							told(e)
						}
					}
				})
			}
		}(),
		changed: func(n notice, gone bool) {
			if gone {
				return // it was forgotten, and nothing happened
			}
			at := w.clock.Now()
			do(func() { told(state.said(n, at)) })
		},
	}
	podsDone, eventsDone := make(chan error, 1), make(chan error, 1)
	go func() { podsDone <- podsFollowed.run(ctx) }()
	go func() { eventsDone <- events.run(ctx) }()
	for podsDone != nil || eventsDone != nil {
		select {
		case step := <-steps:
			step()
		case err := <-podsDone:
			podsDone = nil
			if err != nil {
				cancel()
				return &probe.Unsupported{What: SourceName, Reason: err.Error()}
			}
		case err := <-eventsDone:
			eventsDone = nil
			if err != nil {
				w.miss("failed probes of pods", err.Error())
			}
		}
	}
	return nil
}

// placed notes pods on nodes without an agent.
func (w *Watcher) placed(items ...pod) {
	if w.nodes == nil {
		return
	}
	for _, p := range items {
		if node := p.Spec.NodeName; node != "" && p.Meta.DeletionTimestamp == nil && w.nodes[node] == "" {
			w.miss("pod "+p.Meta.Name, "it came up on "+node+", and the agent there was not asked when the run began")
		}
	}
}

// Check looks once, for rampload check.
func (w *Watcher) Check() error {
	ctx, cancel := context.WithTimeout(context.Background(), answerIn)
	defer cancel()
	space := w.found.Workload.Namespace
	var all []error
	for _, r := range []request{{resource: "pods", namespace: space, query: w.found.query}, {resource: "events", namespace: space}} {
		r.verb, r.query = "watch", clone(r.query)
		r.query.Set("watch", "1")
		r.query.Set("timeoutSeconds", "1")
		body, err := w.client.ask(ctx, r)
		if err != nil {
			all = append(all, err)
			continue
		}
		body.Close()
	}
	return errors.Join(all...)
}

func sinceStart(at time.Duration) string { return fmt.Sprintf("%.1f s", at.Seconds()) }
