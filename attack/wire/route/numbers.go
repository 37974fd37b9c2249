package route

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// Numbers numbers the remote addresses of a target, from 1. The zero value is
// ready for use; all methods are safe for concurrent use.
type Numbers struct {
	Told func(uint16, netip.AddrPort) // called for each new one, one at a time; nil: nobody

	first atomic.Pointer[netip.AddrPort] // whose number is 1: most targets have one address

	mu   sync.RWMutex
	seen map[netip.AddrPort]uint16
}

// Find returns the number of an address, 0 if it has none.
func (r *Numbers) Find(a netip.AddrPort) uint16 {
	if first := r.first.Load(); first != nil && *first == a {
		return 1
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.seen[a]
}

// Index numbers an address. A target with more than 65,535 counts the rest as
// its last.
func (r *Numbers) Index(a netip.AddrPort) uint16 {
	if i := r.Find(a); i != 0 {
		return i
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.seen[a]; i != 0 {
		return i
	}
	if r.seen == nil {
		r.seen = make(map[netip.AddrPort]uint16)
	}
	if len(r.seen) == 1<<16-1 {
		return 1<<16 - 1
	}
	i := uint16(len(r.seen) + 1)
	r.seen[a] = i
	if r.Told != nil {
		r.Told(i, a)
	}
	if i == 1 {
		first := a
		r.first.Store(&first)
	}
	return i
}
