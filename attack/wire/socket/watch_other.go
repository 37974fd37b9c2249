//go:build !linux

package socket

import "errors"

var errNotWatched = errors.New("watching idle connections needs Linux")

// Watcher watches nothing here: idle connections are swept instead.
type Watcher struct{}

// NewWatcher makes a watcher; Run it.
func NewWatcher() (*Watcher, error) { return &Watcher{}, nil }

// Add watches nothing.
func (w *Watcher) Add(*Socket, uint64) error { return errNotWatched }

// Run returns at once.
func (w *Watcher) Run(func(uint64)) {}

// Close ends Run.
func (w *Watcher) Close() {}
