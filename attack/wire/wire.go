package wire

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/link"
	"github.com/rampload/rampload/attack/wire/route"
	"github.com/rampload/rampload/attack/wire/socket"
	"github.com/rampload/rampload/profiles"
)

// Stats are the connections of a transport.
type Stats = attack.ClientStats

var _ attack.Client = (*Transport)(nil)

// Transport holds the connections to one target. All methods are safe for
// concurrent use.
//
// A RST is reported once for each connection. If an attempt meets it, the
// attempt's WireReset is set: also where the attempt fails in another way
// (eof: a FIN came before the RST; broken-pipe) or not at all (the response was
// complete). All others go to Config.OnIdle, as an attempt with PhaseIdle, Fault
// Reset, WireReset and the Conn set, Start and End being the time at which it
// was seen: a RST on a connection that was idle, or that came after its attempt
// had been reported; then Conn.ID is that attempt's. A connection that ended
// with a FIN is kept half closed for 250 ms to see whether a RST follows.
//
// OnIdle is also told of idle connections that the peer closed (EOF), that this
// kernel gave up (Timeout, Unreachable), that sent bytes nobody had asked for
// (Protocol), and of connections that [Transport.Hold] could not open, or that
// the peer or the path ended before an attempt was made on them, as a server
// without room for them does: those have Held set and another phase (dns, dial, tls),
// and each connection one such report. Without WireReset these are no resets. An
// address that refused, where the attempt went on to one of the other family, is
// reported in phase dial without Held: an attempt more, and no end of a request.
//
// A RST that answers what we sent after our own close is not counted: there is
// no connection any more.
type Transport struct {
	cfg     Config
	owner   link.Owner
	clock   func() time.Duration
	timeout time.Duration
	route   *route.Route
	dialer  *dialer
	watcher *socket.Watcher
	poller  *socket.Poller // of connections for one attempt; nil: none is expected
	bg      *background
	holder  *holder
	pool    pool
	streams streams // the multiplexed connections
	ex      Exchanger
	multi   atomic.Bool // the target's protocol is multiplexed
	agreed  atomic.Bool // whether it is is known

	dials    atomic.Uint64
	open     atomic.Int64
	aborted  atomic.Bool
	sweeping atomic.Bool   // some connections are not watched
	quit     chan struct{} // closed by Abort
	drain    chan struct{} // closed by Drain
	drained  sync.Once
	ctx      context.Context
	cancel   context.CancelFunc

	mu     sync.Mutex
	conns  *Conn            // all that are open, in a list
	told   map[uint64]*Conn // those that the watcher tells of
	leases map[*Lease]struct{}
	leased time.Duration // idle time of connections that closed leases had
	lastID uint64
	closed bool
	empty  *sync.Cond // signalled when none is open
}

// New makes a transport; it opens no connection. An error is one of the
// configuration: the URL, the TLS files, the proxy, a local address that this
// machine does not have, or a protocol that does not fit the URL.
func New(cfg Config) (*Transport, error) {
	if cfg.Clock == nil {
		start := time.Now()
		cfg.Clock = func() time.Duration { return time.Since(start) }
	}
	t := &Transport{
		cfg: cfg, clock: cfg.Clock, timeout: cfg.Client.Timeout,
		quit:   make(chan struct{}),
		drain:  make(chan struct{}),
		told:   make(map[uint64]*Conn),
		leases: make(map[*Lease]struct{}),
		lastID: uint64(cfg.Target) << 48, // ids are unique in a run
	}
	t.empty = sync.NewCond(&t.mu)
	t.owner = link.Owner{RunID: cfg.RunID, Clock: cfg.Clock, Aborted: t.aborted.Load}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	var err error
	if t.route, err = route.New(route.Config{Profile: cfg.Profile, Client: cfg.Client, Proxy: cfg.Proxy}); err != nil {
		return nil, err
	}
	if t.ex, err = cfg.Exchange(t.target()); err != nil {
		return nil, err
	}
	if t.dialer, err = newDialer(t); err != nil {
		return nil, err
	}
	t.pool.init(t, cfg.Client.Connections)
	t.streams.init(t, cfg.Client.Connections)
	sessions := t.ex.Offer().Sessions
	t.agreed.Store(sessions != AsAgreed)
	t.multi.Store(sessions == Shared)
	if t.watcher, err = socket.NewWatcher(); err != nil {
		return nil, fmt.Errorf("watch idle connections: %w", err)
	}
	if cfg.Client.Connections == 0 {
		if t.poller, err = socket.NewPoller(cfg.Clock); err != nil {
			t.watcher.Close()
			return nil, fmt.Errorf("wait for connections: %w", err)
		}
		go t.poller.Run()
	}
	t.bg, t.holder = newBackground(t), newHolder(t)
	go t.watcher.Run(t.hup)
	go t.bg.run()
	return t, nil
}

// target is what the exchanger is told.
func (transport *Transport) target() Target {
	to := transport.route
	out := Target{
		Profile: transport.cfg.Profile, Client: transport.cfg.Client, Data: transport.cfg.Data, Vars: transport.cfg.Vars, Callback: transport.cfg.Callback, RunID: transport.cfg.RunID, Tracing: transport.cfg.Tracing,
		Scheme: to.Scheme, TLS: to.TLS, Authority: to.Authority, Prefix: to.Prefix, Authorization: to.User, Origin: to.Origin,
	}
	if to.Origin != "" {
		out.ProxyAuth = to.ProxyAuth
	}
	if to.Proxy != nil {
		out.Proxy = to.Proxy.Redacted()
	}
	return out
}

// Compile implements [attack.Client]: see [Exchanger].
func (transport *Transport) Compile(r profiles.Request) (attack.Request, error) {
	return transport.ex.Compile(r)
}

// Do sends one attempt and waits for its end. It waits for a connection of the
// pool or opens one (always, and for this attempt alone, when Client.Connections
// is 0 and nothing is held), writes the request, reads and discards the response
// and gives the connection back.
//
// It reads Request and Try of a, and sets Start, End, Status, Fault, Phase,
// WireReset, Conn and Info; the rest is the caller's. Start is when Do was
// called, so waiting for a connection counts as latency, and Client.Timeout runs
// from it; an attempt that got no connection in time is a timeout in phase dial.
// A status outside Profile.Expect is Fault Status in PhaseDone. The connection's
// state is taken when the attempt ends. Do never sends a request twice.
func (transport *Transport) Do(r attack.Request, a *attack.Attempt) {
	deadline := transport.begin(a)
	if transport.multi.Load() {
		transport.streams.do(r, a, deadline)
		return
	}
	c := transport.acquire(a, deadline)
	if c == nil {
		transport.end(a)
		return
	}
	if c.mux.Load() != nil {
		transport.streams.adopt(c.mux.Load(), true, false)
		transport.streams.doOn(c.mux.Load(), r, a, deadline)
		return
	}
	how := c.serve(r, a, deadline)
	transport.release(c, how, a.End)
}

// begin starts the clock of an attempt and clears what Do sets.
func (transport *Transport) begin(a *attack.Attempt) (deadline time.Duration) {
	a.Start = transport.clock()
	a.Status, a.Fault, a.Detail, a.Phase, a.WireReset = 0, attack.None, attack.Detail{}, attack.PhaseDial, false
	a.Conn, a.Info, a.RetryAfter = attack.Conn{}, attack.TCPInfo{}, 0
	if a.Reply != nil {
		a.Reply.Sent = nil
		a.Reply.Begin("")
	}
	if transport.timeout > 0 {
		return a.Start + transport.timeout
	}
	return never
}

// never is the deadline of an attempt without a time limit.
const never = link.Never

// left returns how long it is until a deadline; below 0 for never.
func (transport *Transport) left(deadline time.Duration) time.Duration {
	if deadline == never {
		return -1
	}
	return max(deadline-transport.clock(), 0)
}

// end closes an attempt that got no connection.
func (transport *Transport) end(a *attack.Attempt) { a.End = transport.clock() }

// acquire returns a connection for an attempt, or nil when a says why not.
func (transport *Transport) acquire(a *attack.Attempt, deadline time.Duration) *Conn {
	if transport.pool.closeMode() {
		if transport.aborted.Load() {
			a.Fault = attack.Canceled
			return nil
		}
		return transport.dialer.dial(a, deadline, noMatter)
	}
	for {
		c, fault := transport.pool.take(a.Start, deadline)
		if fault != attack.None {
			a.Fault = fault
			return nil
		}
		if c == nil {
			if c = transport.dialer.dial(a, deadline, noMatter); c == nil {
				transport.pool.gone()
				return nil
			}
			if c.mux.Load() != nil {
				transport.pool.gone()
				return c
			}
			c.pooled = true
			transport.watch(c)
			return c
		}
		switch {
		case c.stale(a.Start):
			transport.retire(c, Destroyed)
		case c.clean(a.Start):
			return c
		default:
			transport.lost(c)
		}
	}
}

// RemoteIndex returns the index that OnAddress gave an address, 0 if none. An
// attempt has it in Conn.RemoteIndex.
func (transport *Transport) RemoteIndex(addr netip.AddrPort) uint16 {
	return transport.dialer.remotes.Find(addr)
}

// Stats returns the connections as they are.
func (transport *Transport) Stats() Stats {
	now := transport.clock()
	idle, seconds := transport.pool.idleStats(now)
	i, s := transport.streams.idleStats(now)
	idle, seconds = idle+i, seconds+s
	transport.mu.Lock()
	seconds += transport.leased
	for l := range transport.leases {
		i, s := l.idleStats(now)
		idle, seconds = idle+i, seconds+s
	}
	transport.mu.Unlock()
	transport.bg.mu.Lock()
	cut := transport.bg.cut
	transport.bg.mu.Unlock()
	wanted, undialled := transport.holder.stats()
	return Stats{
		Dials: transport.dials.Load(), Open: transport.open.Load(), Idle: idle, IdleConnSeconds: seconds.Seconds(),
		Wanted: wanted, Undialled: undialled, Unawaited: cut, LookupFailures: transport.dialer.resolver.Failures(),
	}
}

// Hold keeps n connections open from now on, whatever Client.Connections says:
// it opens them, replaces those that end, and closes the longest idle above n
// when n falls. While connections are held, attempts get the one that was idle
// the longest, so that all of them are used. 0 ends holding, and closes what is
// idle beyond Client.Connections; attempts that wait then get what that allows.
// A connection that cannot be opened, or that ends before an attempt was made on it,
// is reported to OnIdle; it is tried again after 100 ms, then 200 ms, up to 6.4 s.
func (transport *Transport) Hold(n int) { transport.HoldAt(n, transport.clock()) }

// HoldAt is [Transport.Hold] where the connections that are more than before were due
// at a time of the clock.
func (transport *Transport) HoldAt(n int, due time.Duration) { transport.holder.set(max(n, 0), due) }

// Drain ends the attempts that wait for a connection with Fault Canceled, in
// PhaseDial: nothing of them has been sent. From now on none waits; those that
// have a connection go on.
func (transport *Transport) Drain() { transport.drained.Do(func() { close(transport.drain) }) }

// Abort ends every attempt in flight with Fault Canceled and refuses new ones
// with it: the end of a drain. It does not wait for the attempts to return.
func (transport *Transport) Abort() {
	if transport.aborted.Swap(true) {
		return
	}
	close(transport.quit)
	transport.cancel()
	transport.mu.Lock()
	defer transport.mu.Unlock()
	for c := range transport.all() {
		c.Break()
	}
}

// Close ends what Abort ends, closes all connections, each after a last look for
// a RST, and returns when everything has been reported. Leases must not be in
// use.
func (transport *Transport) Close() error {
	transport.Abort()
	transport.mu.Lock()
	if transport.closed {
		transport.mu.Unlock()
		return nil
	}
	transport.closed = true
	all := slices.Collect(transport.all())
	transport.mu.Unlock()
	for _, c := range all {
		if h := c.mux.Load(); h != nil {
			h.close()
		} else if c.state.CompareAndSwap(stateIdle, stateLost) {
			transport.unlink(c)
			c.idleEOF = c.idleEOF || c.peerFinned()
			transport.retire(c, Destroyed)
		}
	}
	transport.bg.flush()
	transport.mu.Lock()
	for transport.conns != nil {
		transport.empty.Wait() // for the attempts in flight to come back
	}
	transport.mu.Unlock()
	transport.bg.stop()
	transport.watcher.Close()
	if transport.poller != nil {
		transport.poller.Close()
	}
	return nil
}
