package socket

import (
	"fmt"
	"net/netip"
	"sync/atomic"
)

// Locals are addresses of this machine to connect from, used in turn. The zero value
// leaves the choice to the kernel. Next may be called concurrently.
type Locals struct {
	v4, v6 []netip.Addr
	turn   atomic.Uint64
}

// Add adds an address; an error says that this machine does not have it.
func (l *Locals) Add(a netip.Addr) error {
	if err := CheckLocal(a); err != nil {
		return fmt.Errorf("use local address %s: %w: it must be an address of this machine", a, err)
	}
	all := l.like(a)
	*all = append(*all, a)
	return nil
}

// Next returns the next address to reach remote from; the zero Addr leaves the choice
// to the kernel.
func (l *Locals) Next(remote netip.Addr) netip.Addr {
	if !remote.IsValid() {
		return netip.Addr{}
	}
	all := *l.like(remote)
	if len(all) == 0 {
		return netip.Addr{}
	}
	return all[(l.turn.Add(1)-1)%uint64(len(all))]
}

// like returns the addresses of the family of a.
func (l *Locals) like(a netip.Addr) *[]netip.Addr {
	if a.Unmap().Is4() {
		return &l.v4
	}
	return &l.v6
}
