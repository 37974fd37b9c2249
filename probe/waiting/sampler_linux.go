package waiting

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/sockdiag"
)

// Sampler reads where the requests of a network namespace stand. As often as its budget allows, it
// reads for each service with connections the requests not accepted, not read and not answered, and
// the callers; and for each process and peer the requests that are out. Processes of the same name
// count as one. Its methods must not be called concurrently.
//
// Less often it looks up which process holds which socket. A connection opened since then counts as
// that of the process that has the others to the same peer.
type Sampler struct {
	opts    Options
	diag    *sockdiag.Conn
	netns   uint64
	owners  *owners // shared: only under the lock
	scans   int     // number of the walk at which the owners of services were looked up
	tally   *tally
	totals  totals // of the namespace
	due     time.Time
	closed  bool
	missing []*probe.Unsupported
	dumps   []conn
	moved   translation
	entries *os.File // the number of tracked connections; nil without connection tracking
	// strangers says that some connections have no known process.
	strangers bool
}

// New opens a sampler of o.Namespace. The error matches [probe.ErrUnsupported] if the kernel does not
// have sock_diag, and fs.ErrNotExist if the namespace is gone.
func New(o Options) (*Sampler, error) {
	if o.Sharing == nil {
		o.Sharing = &Sharing{}
	}
	s := &Sampler{opts: o, tally: newTally(), owners: &o.Sharing.owners}
	err := o.Namespace.Inside(func(int) error {
		var st unix.Stat_t
		if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
			return &probe.Unsupported{What: "requests", Reason: err.Error(), Needs: "/proc mounted"}
		}
		s.netns = st.Ino
		d, err := sockdiag.Open("requests")
		s.diag = d
		if err == nil {
			s.moved = openTranslation()
			s.totals = openTotals()
			s.entries, _ = os.Open("/proc/sys/net/netfilter/nf_conntrack_count") // missing without connection tracking
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open requests: %w", err)
	}
	o.Sharing.open.Add(1)
	return s, nil
}

// Source names the sampler in reports.
func (s *Sampler) Source() probe.Source { return probe.Source{Host: s.opts.host(), Name: "requests"} }

// Missing says what cannot be read: which processes hold the sockets of other users.
func (s *Sampler) Missing() []*probe.Unsupported { return s.missing }

// Close closes the netlink socket. It may be called again.
func (s *Sampler) Close() error {
	if !s.closed {
		s.opts.Sharing.open.Add(-1)
	}
	s.closed = true
	_ = s.entries.Close()
	_ = s.totals.close()
	return errors.Join(s.diag.Close(), s.moved.close())
}

// Sample reads the sockets, unless the last reading cost so much that the next is not due yet.
func (s *Sampler) Sample(ctx context.Context, emit func(probe.Sample)) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case s.closed:
		return os.ErrClosed
	}
	now := time.Now()
	if now.Before(s.due) {
		return nil
	}
	runtime.LockOSThread() // the kernel makes a dump on the thread that asks, whose CPU time is measured
	defer runtime.UnlockOSThread()
	began := threadCPU()
	err := s.read(ctx, now)
	cost := threadCPU() - began
	s.due = now.Add(s.opts.rest(cost))
	if errors.Is(err, sockdiag.ErrOverrun) {
		return nil // not due: a gap
	}
	if err != nil {
		return err
	}
	read := s.opts.Clock.Stamp(emit)
	s.tally.emit(s.opts.host(), read)
	s.emitServing(read)
	s.emitSessions(read)
	s.moved.read(now, func() (int, bool) { return tracked(s.entries) })
	s.moved.emit(s.opts.host(), read)
	return nil
}

// read counts the sockets of one dump. In a dump the listeners of IPv6 come after the connections of
// IPv4, so connections are counted once all listeners are known.
func (s *Sampler) read(ctx context.Context, now time.Time) error {
	s.tally.reset()
	s.dumps = s.dumps[:0]
	err := s.diag.TCP(dumpStates, infoWanted, func(b []byte) {
		c, ok := parseConn(b)
		if !ok {
			return
		}
		if c.state == listen {
			s.tally.listener(c)
			return
		}
		s.dumps = append(s.dumps, c)
	})
	if err != nil {
		return err
	}
	totals := s.totals.read() // before the dump is counted, as data that comes in meanwhile was not in it
	s.opts.Sharing.mu.Lock()
	defer s.opts.Sharing.mu.Unlock()
	s.owners.share = 0.2 * s.opts.budget()
	s.owners.scan(ctx, now, s.strangers)
	s.strangers = false
	for _, c := range s.dumps {
		asked, owing := s.tally.arrivals.stood(c, now)
		if in := s.tally.of(c); in != nil {
			in.in(c, owing)
			s.tally.arrivals.count(in, nil, c, now)
			continue
		}
		process := s.processOf(c)
		s.strangers = s.strangers || process == "" && c.inode != 0
		s.tally.arrivals.count(nil, s.tally.out(c, process, asked), c, now)
	}
	for _, x := range s.tally.services {
		if !x.open {
			continue
		}
		if s.scans != s.owners.scans || x.owner.name == "" {
			x.owner = s.owners.service(x, x.owner)
		}
		s.strangers = s.strangers || x.seen && x.owner.name == ""
	}
	s.scans = s.owners.scans
	s.countIncomplete()
	s.tally.settle(totals)
	if s.owners.hidden > 0 && os.Geteuid() != 0 && len(s.missing) == 0 {
		s.missing = append(s.missing, &probe.Unsupported{
			What: "processes of connections", Reason: fmt.Sprintf("the descriptors of %d processes may not be read", s.owners.hidden), Needs: "root",
		})
	}
	return nil
}

// processOf returns the name of the process that opened a connection: the one that holds it, else the
// one last seen with a connection to the same peer.
func (s *Sampler) processOf(c conn) string {
	key := peerOf{s.netns, c.remote, c.uid}
	if name := s.owners.of(c.inode); name != "" {
		if len(s.owners.peers) < 1024 {
			s.owners.peers[key] = name
		}
		return name
	}
	return s.owners.peers[key]
}

// emitServing emits for each process of a service how many requests it has accepted and not answered,
// where the holders of nearly all connections are known.
func (s *Sampler) emitServing(emit func(probe.Reading)) {
	s.opts.Sharing.mu.Lock()
	defer s.opts.Sharing.mu.Unlock()
	for _, x := range s.tally.busiestServices() {
		if len(x.owner.pids) == 0 || !x.seen {
			continue
		}
		open := map[int32]float64{}
		known := 0
		for _, inode := range x.accepted {
			if pid := s.owners.byIno[inode]; pid != 0 {
				open[pid]++
				known++
			}
		}
		if float64(known) < 0.9*float64(len(x.accepted)) {
			continue
		}
		for _, pid := range x.owner.pids[:min(len(x.owner.pids), maxServing)] {
			emit(probe.Reading{
				Metric: probe.Metric{Host: s.opts.host(), Process: x.owner.name, PID: pid, Name: probe.Serving, Instance: instance(x.addr)},
				Value:  open[pid], Limit: probe.NoLimit(),
			})
		}
	}
}

// Services returns the services of the last reading that had connections, ordered by address.
func (s *Sampler) Services() []Service {
	var out []Service
	for _, x := range s.tally.services {
		if x.seen && x.open {
			out = append(out, Service{Addr: x.addr, Name: x.owner.name, PIDs: slices.Clone(x.owner.pids)})
		}
	}
	slices.SortFunc(out, func(a, b Service) int { return a.Addr.Compare(b.Addr) })
	return out
}

// threadCPU returns the CPU time of the calling thread.
func threadCPU() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
