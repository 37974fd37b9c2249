package replies

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/netns"
	"github.com/rampload/rampload/probe/internal/sockdiag"
)

// Replies reads error replies that services of a host send, or get from hosts that nobody
// watches, as events of the kind [probe.LogLine]. It needs CAP_NET_RAW, and is for one
// Watch.
type Replies struct {
	opts    Options
	budget  int           // packets of HTTP/2 in a second; 0: maxFrames
	calm    time.Duration // see [share]; 0: calm
	missing []*probe.Unsupported
}

var (
	_ probe.Watcher       = (*Replies)(nil)
	_ probe.PartialSource = (*Replies)(nil)
)

// New returns a watcher that reads nothing yet.
func New(o Options) *Replies { return &Replies{opts: o} }

// Source names the source in reports.
func (r *Replies) Source() probe.Source {
	return probe.Source{Host: r.opts.Host, Name: sourceName}
}

// Missing says what was not told, nil for nothing.
func (r *Replies) Missing() []*probe.Unsupported { return r.missing }

// Check says whether replies can be read here.
func (r *Replies) Check() error {
	ts, err := r.open()
	if err != nil {
		return err
	}
	ts.close()
	return nil
}

func (r *Replies) open() (ts taps, err error) {
	err = netns.Namespace{Path: r.opts.Netns}.Inside(func(int) error {
		ts, err = openTaps()
		return err
	})
	switch {
	case errors.Is(err, fs.ErrPermission):
		return taps{}, &probe.Unsupported{What: sourceName, Reason: "this process may not read packets", Needs: "root or CAP_NET_RAW"}
	case errors.Is(err, fs.ErrNotExist):
		return taps{}, &probe.Unsupported{What: sourceName, Reason: err.Error()}
	case err != nil:
		return taps{}, fmt.Errorf("open packet socket: %w", err)
	}
	return ts, nil
}

// sockets opens what tells of the sockets of the host.
func (r *Replies) sockets() (conn *sockdiag.Conn, err error) {
	err = netns.Namespace{Path: r.opts.Netns}.Inside(func(int) error {
		conn, err = sockdiag.Open("streams")
		return err
	})
	return conn, err
}

// established calls visit with the ends of every connection that is established.
func established(sockets *sockdiag.Conn, visit func(local, remote netip.AddrPort)) error {
	return sockets.TCP(1<<sockdiag.Established, 0, func(b []byte) {
		if s, _, ok := sockdiag.Parse(b); ok {
			visit(s.Local, s.Remote)
		}
	})
}

// Watch reads replies until ctx is done.
func (r *Replies) Watch(ctx context.Context, emit func(probe.Event)) error {
	ts, err := r.open()
	if err != nil {
		return err
	}
	defer ts.close()
	now := r.opts.Clock.Now()
	f := &folder{opts: r.opts, turn: now}
	names := &lookups{open: map[lookup]seen{}}
	h2 := &streams{share: newShare(r.budget, r.calm, now), turn: now}
	if sockets, err := r.sockets(); err == nil { // else a connection that ended is told of for a while
		defer sockets.Close()
		h2.established = func(visit func(local, remote netip.AddrPort)) error { return established(sockets, visit) }
	}
	tick := time.NewTicker(gather)
	defer tick.Stop()
	for done := false; !done; {
		select {
		case <-ctx.Done():
			done = true
		case <-tick.C:
		}
		now := r.opts.Clock.Now() // a packet of the last moments counts as of now
		err := r.replies(ts.replies, f, now, emit)
		if err == nil {
			err = r.names(ts.lookups, f, names, now, emit)
		}
		f.flush(now, done, emit)
		if err == nil {
			err = r.streams(ts.streams, h2, now, done, emit)
		}
		if err != nil {
			return err
		}
	}
	r.missing = append(append(f.missing(), names.missing()...), h2.missing()...)
	return nil
}

// replies reads error replies, and answers that are none.
func (r *Replies) replies(from *tap, f *folder, now time.Duration, emit func(probe.Event)) error {
	read, lost, err := from.drain(func(p packet) { f.packet(p, now, emit) })
	f.tick(read, lost, now)
	return err
}

// names reads what is asked of name servers, and what they answer.
func (r *Replies) names(from *tap, f *folder, names *lookups, now time.Duration, emit func(probe.Event)) error {
	_, lost, err := from.drain(func(p packet) {
		m, ok := readMessage(p.data)
		if !p.datagram || !ok {
			return
		}
		s := seen{from: p.from, to: p.to, message: m, at: now}
		if !r.opts.SentOnly {
			names.take(s, r.opts.Local)
		}
		if s.reply, ok = m.reply(); ok {
			f.take(s, emit)
		}
	})
	if lost > 0 {
		names.forget(lost, now)
	}
	names.overdue(now, func(s seen) { f.late(s, emit) })
	return err
}

// streams reads frames of HTTP/2, of as many connections as the share says.
func (r *Replies) streams(from *tap, h2 *streams, now time.Duration, last bool, emit func(probe.Event)) error {
	read, lost, err := from.drain(func(p packet) {
		if !p.datagram && isFrame(p.data) {
			h2.take(p.from, p.to, p.data, p.whole, now)
		}
	})
	if err != nil {
		return err
	}
	tell := func() {
		e := r.opts.event(probe.StreamsShare, now)
		e.Value = h2.share.value()
		emit(e)
	}
	lowered := h2.read(read, lost, now)
	if lowered { // what is told next is of fewer
		tell()
	}
	raised := h2.flush(r.opts, now, last, emit)
	if raised {
		tell()
	}
	if !lowered && !raised {
		return nil
	}
	program, err := filterStreams(h2.share.level)
	if err != nil {
		return err
	}
	return from.attach(program)
}
