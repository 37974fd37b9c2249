//go:build !linux

package wire

import "errors"

var errNotWatched = errors.New("watching idle connections needs Linux")

// watcher watches nothing here: idle connections are swept instead.
type watcher struct{}

func newWatcher() (*watcher, error) { return &watcher{}, nil }

func (w *watcher) add(*socket, uint64) error { return errNotWatched }

func (w *watcher) run(func(uint64)) {}

func (w *watcher) close() {}
