package agenda

import "sync"

// Relay does things one after the other, as long as none has to wait for a peer. One that
// has to leaves the others to a goroutine of their own first. So no thing waits for another,
// and there are never more goroutines than things that are being done: the runtime keeps for
// ever what it needs for each, half a kilobyte. All methods are safe for concurrent use, but
// Add must not be called once Wait is.
type Relay[T any] struct {
	do func(what T, waits func())

	mu      sync.Mutex
	queue   []T
	running bool // a goroutine takes from the queue
	all     sync.WaitGroup
}

// NewRelay returns a relay of what do does. It calls waits before it waits for anybody,
// perhaps several times.
func NewRelay[T any](do func(what T, waits func())) *Relay[T] { return &Relay[T]{do: do} }

// Add has things done, and does not wait for them.
func (r *Relay[T]) Add(things ...T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = append(r.queue, things...)
	if len(r.queue) > 0 && !r.running {
		r.running = true
		r.all.Go(r.run)
	}
}

// Wait returns when all is done.
func (r *Relay[T]) Wait() { r.all.Wait() }

func (r *Relay[T]) run() {
	for mine := true; mine; {
		r.mu.Lock()
		if len(r.queue) == 0 {
			r.queue, r.running = nil, false
			r.mu.Unlock()
			return
		}
		what := r.queue[0]
		r.queue = r.queue[1:]
		r.mu.Unlock()
		r.do(what, func() {
			if mine {
				mine = false
				r.all.Go(r.run)
			}
		})
	}
}
