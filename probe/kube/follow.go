package kube

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// watchFor is how long a watch stays open before it is asked for anew, as
	// Kubernetes' own clients do: what lies between may end a silent connection.
	watchFor = 5 * time.Minute
	// again are the shortest and longest pauses before a server that is away is asked
	// again.
	againFirst, againLast = 500 * time.Millisecond, 10 * time.Second
)

// follower follows all objects of a kind: it reads them, and then what changes. Where the
// server has forgotten what lies between (410 Gone) it reads all of them anew.
type follower[T any] struct {
	client *Client
	what   request // list
	// all is called with everything there is, at first and after a gap.
	all func(items []T)
	// changed is called with one object that changed, or is gone.
	changed func(item T, gone bool)
	// away is called when the server does not answer, with nil when it does again.
	away func(error)
}

// run follows until ctx is done. Another error is one that no patience helps against.
func (f *follower[T]) run(ctx context.Context) error {
	pause, version := againFirst, ""
	for ctx.Err() == nil {
		var err error
		if version == "" {
			var items []T
			if items, version, err = list[T](ctx, f.client, f.what); err == nil {
				f.all(items)
			}
		}
		if err == nil {
			var seen bool
			seen, err = f.watch(ctx, &version)
			if seen || err == nil {
				pause = againFirst
			}
		}
		var forbidden *Forbidden
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errExpired):
			version = ""
			continue
		case errors.As(err, &forbidden):
			return err
		case err == nil:
			continue // it was open long enough
		}
		f.away(err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, againLast)
	}
	return nil
}

// watch follows changes from a version on, which it moves forward.
func (f *follower[T]) watch(ctx context.Context, version *string) (seen bool, err error) {
	r := f.what
	r.verb, r.query = "watch", clone(r.query)
	r.query.Set("watch", "1")
	r.query.Set("allowWatchBookmarks", "true")
	r.query.Set("resourceVersion", *version)
	r.query.Set("timeoutSeconds", fmt.Sprint(int(watchFor/time.Second)))
	body, err := f.client.ask(ctx, r)
	if err != nil {
		return false, err
	}
	defer body.Close()
	f.away(nil)
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxObject)
	for lines.Scan() {
		var c change
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return seen, fmt.Errorf("what the API server answers is none of Kubernetes': %w", err)
		}
		if c.Type == "ERROR" {
			var s status
			_ = json.Unmarshal(c.Object, &s)
			if s.Code == http.StatusGone {
				return seen, errExpired
			}
			return seen, r.refused(s)
		}
		var at struct {
			Meta meta `json:"metadata"`
		}
		var item T
		if json.Unmarshal(c.Object, &at) != nil || c.Type != "BOOKMARK" && json.Unmarshal(c.Object, &item) != nil {
			return seen, fmt.Errorf("what the API server answers is none of Kubernetes'")
		}
		*version, seen = at.Meta.ResourceVersion, true
		if c.Type != "BOOKMARK" {
			f.changed(item, c.Type == "DELETED")
		}
	}
	if err := lines.Err(); err != nil {
		return seen, fmt.Errorf("the API server's answer broke off: %w", err)
	}
	return seen, nil
}
