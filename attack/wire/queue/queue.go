// Package queue is where attempts wait for a connection, in order of arrival.
package queue

import (
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
)

// Line is a queue of waiters; the zero value is an empty one. Its methods but Free are
// called under one lock, which is the caller's.
type Line[T any] struct {
	head, tail *Waiter[T]
	n          int
	free       sync.Pool // of waiters
}

// Waiter is one attempt that waits for a T, or to be told to get one by itself.
type Waiter[T any] struct {
	got        T // set before ready
	ready      chan struct{}
	timer      *time.Timer
	prev, next *Waiter[T]
	queued     bool
}

// Len returns how many wait.
func (l *Line[T]) Len() int { return l.n }

// Push adds a waiter. It is given back with Free, after Wait.
func (l *Line[T]) Push() *Waiter[T] {
	w, _ := l.free.Get().(*Waiter[T])
	if w == nil {
		w = &Waiter[T]{ready: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
		w.timer.Stop()
	}
	w.prev, w.next, w.queued = l.tail, nil, true
	if l.tail != nil {
		l.tail.next = w
	} else {
		l.head = w
	}
	l.tail = w
	l.n++
	return w
}

// Pop takes out the waiter that came first, nil if none waits. The caller serves it.
func (l *Line[T]) Pop() *Waiter[T] {
	w := l.head
	if w != nil {
		l.Remove(w)
	}
	return w
}

// Remove takes a waiter out, and reports whether it was still queued: else it has been
// served, or is about to be.
func (l *Line[T]) Remove(w *Waiter[T]) bool {
	if !w.queued {
		return false
	}
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		l.head = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		l.tail = w.prev
	}
	w.prev, w.next, w.queued = nil, nil, false
	l.n--
	return true
}

// Free takes a waiter back that is not queued and has taken what it was served.
func (l *Line[T]) Free(w *Waiter[T]) {
	var none T
	w.got = none
	l.free.Put(w)
}

// Serve ends the wait of a waiter that was popped.
func (w *Waiter[T]) Serve(what T) {
	w.got = what
	w.ready <- struct{}{}
}

// Served waits for a waiter that was popped to be served, and returns what with.
func (w *Waiter[T]) Served() T {
	<-w.ready
	return w.got
}

// Wait returns what the waiter was served with and None; or Timeout when the time is up,
// and Canceled when one of the channels is closed. A limit below 0 is none.
func (w *Waiter[T]) Wait(limit time.Duration, quit, drain <-chan struct{}) (T, attack.Fault) {
	if limit >= 0 {
		w.timer.Reset(limit)
		defer w.timer.Stop()
	}
	var none T
	select {
	case <-w.ready:
		return w.got, attack.None
	case <-quit:
		return none, attack.Canceled
	case <-drain:
		return none, attack.Canceled
	case <-w.timer.C:
		return none, attack.Timeout
	}
}
