package kernel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/procfs"
)

// ProcessNetwork samples the network namespace of some processes: what
// [Sockets] and [Counters] read, under the label of the processes. It follows
// them into the namespaces of restarted containers. While they are in rampload's
// own namespace, which is read anyway, it reads nothing.
type ProcessNetwork struct {
	opts     Options
	pids     func() []int32
	own      uint64
	inode    uint64 // of the namespace that is open; 0: none
	known    []int32
	checked  time.Time
	sockets  *Sockets
	counters *Counters
	closed   bool
}

// NewProcessNetwork opens a sampler of the network namespace of some processes.
// pids is asked at each reading and must be safe to call from another
// goroutine; label is what people call the processes.
func NewProcessNetwork(o Options, label string, pids func() []int32) (*ProcessNetwork, error) {
	o.Process, o.Namespace = label, Namespace{}
	n := &ProcessNetwork{opts: o, pids: pids}
	var err error
	if n.own, err = (Namespace{}).Inode(o.root()); err != nil {
		return nil, fmt.Errorf("open network of %s: %w", label, procfs.Unsupported("network of "+label, err, "/proc"))
	}
	return n, nil
}

// Source names the sampler in reports.
func (n *ProcessNetwork) Source() probe.Source { return n.opts.source("network") }

// Missing says what could not be read in the namespace.
func (n *ProcessNetwork) Missing() []*probe.Unsupported {
	if n.sockets == nil {
		return nil
	}
	return slices.Concat(n.sockets.Missing(), n.counters.Missing())
}

// Close closes what it holds open. It may be called again.
func (n *ProcessNetwork) Close() error {
	n.closed = true
	return n.leave()
}

// leave closes the namespace that is open.
func (n *ProcessNetwork) leave() error {
	var err error
	if n.sockets != nil {
		err = n.sockets.Close()
	}
	if n.counters != nil {
		err = errors.Join(err, n.counters.Close())
	}
	n.sockets, n.counters, n.inode = nil, nil, 0
	return err
}

// Sample reads the namespace that the processes are in now.
func (n *ProcessNetwork) Sample(ctx context.Context, emit func(probe.Sample)) error {
	if err := cmp.Or(ctx.Err(), closedErr(n.closed)); err != nil {
		return err
	}
	if err := n.follow(); err != nil {
		return err
	}
	if n.sockets == nil {
		return nil
	}
	return errors.Join(n.sockets.Sample(ctx, emit), n.counters.Sample(ctx, emit))
}

// follow opens the namespace of the first process that has one.
func (n *ProcessNetwork) follow() error {
	pids := n.pids()
	if equal(pids, n.known) && time.Since(n.checked) < recheckAfter && n.inode != 0 {
		return nil
	}
	if len(pids) == 0 {
		return fmt.Errorf("find network of %s: no process", n.opts.Process)
	}
	var last error
	for _, pid := range pids {
		ns := Namespace{PID: pid}
		inode, err := ns.Inode(n.opts.root())
		if err != nil {
			last = err
			continue
		}
		n.known, n.checked = append(n.known[:0], pids...), time.Now()
		if inode == n.inode {
			return nil
		}
		if err := n.leave(); err != nil {
			return err
		}
		n.inode = inode
		if inode == n.own {
			return nil
		}
		return n.enter(ns)
	}
	if errors.Is(last, fs.ErrPermission) {
		return procfs.Unsupported("network of "+n.opts.Process, last, "root")
	}
	return fmt.Errorf("find network of %s: %w", n.opts.Process, last)
}

func (n *ProcessNetwork) enter(ns Namespace) error {
	o := n.opts
	o.Namespace = ns
	var err error
	if n.sockets, err = NewSockets(o); err == nil {
		n.counters, err = NewCounters(o)
	}
	if err != nil {
		_ = n.leave()
		return err
	}
	return nil
}
