package route

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// resolveAgain is how long addresses are used before the name is looked up
// anew, beside the load.
const resolveAgain = 30 * time.Second

// never is the deadline of an attempt without a time limit.
const never = time.Duration(1<<63 - 1)

var errNoAddress = errors.New("the name has no address")

// Resolver holds the addresses of the target and hands them out in turn, so
// that every instance behind a name is loaded.
type Resolver struct {
	lookup Lookup
	ctx    context.Context
	host   string
	clock  func() time.Duration

	withdrawn func([]netip.Addr)
	failures  atomic.Uint64
	works     [2]atomic.Bool // families, see [Family], of which an address ever answered

	mu      sync.Mutex
	addrs   []netip.Addr
	next    int
	until   time.Duration
	flight  *flight             // under way, nil if none
	refused map[netip.Addr]bool // addresses that never answered, of families likewise
	useless [2]bool             // families that are not used because the other answered
}

type flight struct {
	done chan struct{}
	err  error
}

// Lookup finds the addresses of a name.
type Lookup func(ctx context.Context, host string) ([]netip.Addr, error)

// NewResolver makes a resolver of the route's host. Look-ups end with ctx. A nil
// look-up is the system's. Withdrawn is told, from a goroutine of its own, of addresses
// that a later look-up does not give any more.
func NewResolver(ctx context.Context, to *Route, find Lookup, clock func() time.Duration, withdrawn func([]netip.Addr)) *Resolver {
	r := &Resolver{lookup: find, ctx: ctx, host: to.Host, clock: clock, withdrawn: withdrawn}
	if a, ok := to.Address(); ok {
		r.addrs, r.until = []netip.Addr{a}, never
	}
	if r.lookup == nil {
		r.lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
			for i := range addrs {
				addrs[i] = addrs[i].Unmap() // as people write them
			}
			return addrs, err
		}
	}
	return r
}

// Family is 0 for IPv4 and 1 for IPv6.
func Family(a netip.Addr) int {
	if a.Unmap().Is4() {
		return 0
	}
	return 1
}

// Pick returns the next address in turn. Only the first look-up, and those after
// one that failed, make the caller wait: waits is called before.
func (r *Resolver) Pick(deadline time.Duration, waits func()) (netip.Addr, error) {
	r.mu.Lock()
	for {
		if len(r.addrs) > 0 {
			if r.until != never && r.clock() >= r.until && r.flight == nil {
				r.start(never)
			}
			a := r.turn()
			r.mu.Unlock()
			return a, nil
		}
		f := r.flight
		if f == nil {
			f = r.start(deadline)
		}
		r.mu.Unlock()
		waits()
		var timeout <-chan time.Time
		if deadline != never {
			timer := time.NewTimer(deadline - r.clock())
			defer timer.Stop()
			timeout = timer.C
		}
		select {
		case <-f.done:
		case <-timeout:
			return netip.Addr{}, context.DeadlineExceeded
		case <-r.ctx.Done():
			return netip.Addr{}, context.Canceled
		}
		if f.err != nil {
			return netip.Addr{}, f.err
		}
		r.mu.Lock()
	}
}

// Next returns when the name is to be looked up again; for ever away where it is an
// address, or was never asked for.
func (r *Resolver) Next() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.addrs) == 0 || r.flight != nil {
		return never
	}
	return r.until
}

// Refresh looks the name up again, if it is time, beside everything else.
func (r *Resolver) Refresh() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.addrs) > 0 && r.flight == nil && r.clock() >= r.until {
		r.start(never)
	}
}

// Failures returns how many look-ups failed while addresses of before were used.
func (r *Resolver) Failures() uint64 { return r.failures.Load() }

// turn returns the next address of a family in use.
func (r *Resolver) turn() netip.Addr {
	for range r.addrs {
		a := r.addrs[r.next%len(r.addrs)]
		r.next++
		if !r.useless[Family(a)] {
			return a
		}
	}
	return r.addrs[0]
}

// Spread returns how many addresses connections are spread over.
func (r *Resolver) Spread() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, a := range r.addrs {
		if !r.useless[Family(a)] {
			n++
		}
	}
	return n
}

// start looks the name up, for all who wait.
func (r *Resolver) start(deadline time.Duration) *flight {
	f := &flight{done: make(chan struct{})}
	r.flight = f
	go func() {
		ctx, cancel := r.ctx, context.CancelFunc(func() {})
		if deadline != never {
			ctx, cancel = context.WithTimeout(ctx, deadline-r.clock())
		}
		addrs, err := r.lookup(ctx, r.host)
		cancel()
		addrs = routable(addrs)
		if err == nil && len(addrs) == 0 {
			err = &net.DNSError{UnwrapErr: errNoAddress, Err: errNoAddress.Error(), Name: r.host, IsNotFound: true}
		}
		var gone []netip.Addr
		r.mu.Lock()
		if err == nil {
			for _, a := range r.addrs {
				if !slices.Contains(addrs, a) {
					gone = append(gone, a)
				}
			}
			r.addrs = addrs
		} else {
			f.err = fmt.Errorf("resolve %s: %w", r.host, err)
			if len(r.addrs) > 0 && r.ctx.Err() == nil {
				r.failures.Add(1)
			}
		}
		r.until = r.clock() + resolveAgain
		r.flight = nil
		r.mu.Unlock()
		close(f.done)
		if len(gone) > 0 && r.withdrawn != nil {
			r.withdrawn(gone)
		}
	}()
	return f
}

// routable leaves out the addresses that this host has no route to, unless
// that is all: a name often has an IPv6 address that is of no use here. To
// connect a datagram socket sends nothing; it only asks the routing table.
func routable(addrs []netip.Addr) []netip.Addr {
	if len(addrs) < 2 {
		return addrs
	}
	var ok []netip.Addr
	for _, a := range addrs {
		c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 9)))
		if err == nil {
			c.Close()
			ok = append(ok, a)
		}
	}
	if len(ok) == 0 {
		return addrs
	}
	return ok
}

// Answered notes that a connection to an address was established.
func (r *Resolver) Answered(a netip.Addr) {
	f := Family(a)
	if r.works[f].Load() {
		return // and never was given up since
	}
	r.mu.Lock()
	r.useless[f] = false
	r.works[f].Store(true)
	r.mu.Unlock()
}

// Instead returns an address of the other family, after one of this family did
// not answer, if every address of this family was tried and none ever did: "localhost" is often both
// 127.0.0.1 and ::1 to the resolver, and one of them to the service. The family
// is then left alone. This is what happy eyeballs come to (RFC 8305), without a
// race; a family that has answered once is never given up.
func (r *Resolver) Instead(a netip.Addr) (netip.Addr, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := Family(a)
	if r.works[f].Load() || r.useless[1-f] {
		return netip.Addr{}, false
	}
	if r.refused == nil {
		r.refused = map[netip.Addr]bool{}
	}
	r.refused[a] = true
	for _, same := range r.addrs {
		if Family(same) == f && !r.refused[same] {
			return netip.Addr{}, false // this refusal is the attempt's end, and counted
		}
	}
	for _, other := range r.addrs {
		if Family(other) != f {
			r.useless[f] = true
			return other, true
		}
	}
	return netip.Addr{}, false
}
