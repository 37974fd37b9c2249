package machine

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/host"
	"github.com/rampload/rampload/probe/internal/netns"
	"github.com/rampload/rampload/probe/kernel"
	"github.com/rampload/rampload/probe/waiting"
	"github.com/rampload/rampload/profiles"
)

// served samples where the requests of a network namespace stand, and watches the
// processes of its services that the profile does not name: whoever serves a request may
// be why it waits.
type served struct {
	part     *part
	requests *waiting.Sampler
	found    []*service
	told     map[probe.Metric]bool // of the processes found, in a reading
	lookAt   time.Time
	// of are the processes whose namespace is read, nil for the part's own; inode is
	// the namespace that is open.
	of     func() []int32
	name   string
	inode  uint64
	closed bool
}

// service is a process that serves a port, and was not named.
type service struct {
	port    uint16
	process *host.Process
	group   *kernel.Cgroup // nil: it has none
	quiet   int            // readings without a process
}

// maxFound bounds the processes that are watched though nobody named them.
const maxFound = 12

// lookEvery is how often services are looked for.
const lookEvery = time.Second

// newServed opens a sampler of the part's own namespace.
func newServed(p *part) (*served, error) {
	s := &served{part: p, name: "requests", told: map[probe.Metric]bool{}}
	var err error
	s.requests, err = waiting.New(s.options(netns.Namespace{Name: p.netns}))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// newServedBy opens a sampler of the namespace of some processes, where that is not
// rampload's own.
func newServedBy(p *part, text string, pids func() []int32) (*served, error) {
	return &served{part: p, of: pids, name: "requests of " + text, told: map[probe.Metric]bool{}}, nil
}

func (s *served) options(ns netns.Namespace) waiting.Options {
	return waiting.Options{Host: s.part.name, Clock: s.part.machine.Clock, Namespace: ns, Sharing: &s.part.machine.Shared.requests}
}

// Source names the sampler in reports.
func (s *served) Source() probe.Source { return probe.Source{Host: s.part.name, Name: s.name} }

// Missing says what could not be read.
func (s *served) Missing() []*probe.Unsupported {
	if s.requests == nil {
		return nil
	}
	return s.requests.Missing()
}

// Close closes what it holds open. It may be called again.
func (s *served) Close() error {
	s.closed = true
	var errs []error
	if s.requests != nil {
		errs = append(errs, s.requests.Close())
	}
	for _, f := range s.found {
		errs = append(errs, f.close())
	}
	s.found = nil
	return errors.Join(errs...)
}

// Sample reads the requests, and the processes that serve them.
func (s *served) Sample(ctx context.Context, emit func(probe.Sample)) error {
	if s.closed {
		return os.ErrClosed
	}
	if err := cmp.Or(ctx.Err(), s.follow()); err != nil {
		return err
	}
	if s.requests == nil {
		return nil
	}
	err := s.requests.Sample(ctx, emit)
	if now := time.Now(); !now.Before(s.lookAt) {
		s.lookAt = now.Add(lookEvery)
		s.look()
	}
	// Processes of a service are followed to their children, which may serve a port of their
	// own: what was read of one is told once.
	clear(s.told)
	once := func(x probe.Sample) {
		if !s.told[x.Metric] {
			s.told[x.Metric] = true
			emit(x)
		}
	}
	for _, f := range s.found {
		f.sample(ctx, once)
	}
	return err
}

// follow opens the namespace of the processes whose requests are read.
func (s *served) follow() error {
	if s.of == nil || s.requests != nil && time.Now().Before(s.lookAt) {
		return nil
	}
	own, err := (netns.Namespace{}).Inode("/")
	if err != nil {
		return err
	}
	for _, pid := range s.of() {
		ns := netns.Namespace{PID: pid}
		inode, err := ns.Inode("/")
		if err != nil || inode == own || inode == s.inode {
			continue
		}
		if s.requests != nil {
			_ = s.requests.Close()
		}
		s.requests, err = waiting.New(s.options(ns))
		if err != nil {
			return err
		}
		s.inode = inode
		break
	}
	return nil
}

// look begins to watch the processes of services that nobody named, and stops to watch
// those that have gone.
func (s *served) look() {
	s.found = slices.DeleteFunc(s.found, func(f *service) bool {
		if f.quiet < 40 {
			return false
		}
		_ = f.close()
		return true
	})
	for _, x := range s.requests.Services() {
		if len(s.found) >= maxFound {
			return
		}
		if len(x.PIDs) == 0 || s.watches(x.Addr.Port(), x.PIDs) {
			continue
		}
		f := &service{port: x.Addr.Port()}
		selected := profiles.Process{Listen: int(f.port)} // who takes its place is found by the port
		if s.of != nil {
			selected = profiles.Process{PID: int(x.PIDs[0])} // other namespaces may have that port too
		}
		process, err := host.NewProcess(selected, s.part.name, host.Options{Clock: s.part.machine.Clock, Netns: s.part.netns, Holders: x.PIDs})
		if err != nil {
			continue
		}
		f.process = process
		f.group, _ = kernel.NewCgroup(kernel.Options{Host: s.part.name, Clock: s.part.machine.Clock}, x.Name, process.PIDs)
		s.found = append(s.found, f)
	}
}

// watches reports whether the processes that listen on a port are watched already, or will be
// by whoever follows those of that port, or are rampload's own.
func (s *served) watches(port uint16, pids []int32) bool {
	netns := s.part.netns
	if s.of != nil { // other namespaces may have that port too
		netns, port = "", 0
	}
	if slices.Contains(pids, int32(os.Getpid())) || s.part.machine.Shared.names(netns, port, pids) {
		return true
	}
	return slices.ContainsFunc(s.found, func(f *service) bool {
		return f.port == port || slices.ContainsFunc(f.process.PIDs(), func(pid int32) bool { return slices.Contains(pids, pid) })
	})
}

// DrainEvents hands over the starts and ends of the processes that were found.
func (s *served) DrainEvents(emit func(probe.Event)) {
	for _, f := range s.found {
		f.process.DrainEvents(emit)
	}
}

func (f *service) sample(ctx context.Context, emit func(probe.Sample)) {
	if f.process.Sample(ctx, emit) != nil {
		f.quiet++
		return
	}
	f.quiet = 0
	if f.group != nil {
		_ = f.group.Sample(ctx, emit) // it may have none
	}
}

func (f *service) close() error {
	err := f.process.Close()
	if f.group != nil {
		err = errors.Join(err, f.group.Close())
	}
	return err
}
