package logs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/probe"
)

// Written follows the files into which watched processes write text, as their open
// descriptors show: what services print goes where nobody told rampload of. Like [Log] it
// hands on only lines that tell of a fault.
type Written struct {
	source probe.Source
	clock  probe.Clock
	label  func() string
	pids   func() []int32
	claims *Claims

	servers *servers

	tails   map[fileID]*writtenTail
	missing []string
	found   bool
}

var (
	_ probe.Watcher       = (*Written)(nil)
	_ probe.PartialSource = (*Written)(nil)
)

// NewWritten returns the watcher of what some processes write: pids are those of now and
// label is their name. The name of its source has text; netns is the named network
// namespace that the host is, "" for the machine. Claims is what it shares with the other
// watchers of the machine; nil: there are none.
func NewWritten(text, host, netns string, label func() string, pids func() []int32, claims *Claims, clock probe.Clock) *Written {
	return &Written{
		source: probe.Source{Host: host, Name: "files written by " + text}, clock: clock, label: label, pids: pids, claims: claims,
		servers: &servers{configs: balancerConfigs(netns)}, tails: map[fileID]*writtenTail{},
	}
}

// Source names what is followed.
func (w *Written) Source() probe.Source { return w.source }

// Missing says what was not read, nil for nothing.
func (w *Written) Missing() []*probe.Unsupported {
	var out []*probe.Unsupported
	for _, reason := range w.missing {
		out = append(out, &probe.Unsupported{What: w.source.Name, Reason: reason})
	}
	return out
}

type writtenTail struct {
	*followed
	keep *keeper // nil: it is no text
}

// maxWritten bounds the files of one process.
const maxWritten = 16

// Watch follows the files until ctx is done.
func (w *Written) Watch(ctx context.Context, emit func(probe.Event)) error {
	defer func() {
		for id, t := range w.tails {
			t.file.Close()
			w.claims.leave(id, w)
		}
	}()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	buf := make([]byte, readAtOnce)
	for look := 0; ; look++ {
		now := w.clock.Now()
		if look%10 == 0 {
			for id, t := range w.find(look > 0) {
				w.read(t, buf, now, emit)
				if t.keep != nil {
					t.keep.flush(now+time.Hour, emit)
				}
				t.file.Close()
				w.claims.leave(id, w)
				delete(w.tails, id)
			}
		}
		for _, t := range w.tails {
			w.read(t, buf, now, emit)
		}
		select {
		case <-ctx.Done():
			for _, t := range w.tails {
				w.read(t, buf, w.clock.Now(), emit)
				if t.keep != nil {
					t.keep.flush(w.clock.Now()+time.Hour, emit)
				}
			}
			if !w.found {
				return &probe.Unsupported{What: w.source.Name, Reason: "they write into no file that can be read"}
			}
			return nil
		case <-ticker.C:
		}
	}
}

func (w *Written) read(t *writtenTail, buf []byte, now time.Duration, emit func(probe.Event)) {
	if t.keep == nil {
		return
	}
	binary := false
	_ = t.read(buf, func(text string) {
		if binary = binary || strings.IndexByte(text, 0) >= 0; !binary {
			t.keep.line(text, now, emit)
		}
	})
	t.keep.flush(now, emit)
	if binary {
		t.keep = nil
	}
}

// find looks for files that the processes have open to write text into. Those that are
// there at first are followed from their end on, those that come from their beginning. It
// returns those that nobody has open any more.
func (w *Written) find(later bool) (closed map[fileID]*writtenTail) {
	closed = maps.Clone(w.tails)
	fresh := map[fileID]printed{}
	pids := w.pids()
	for _, pid := range pids {
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		list, err := os.ReadDir(dir)
		if err != nil {
			w.lacks(err)
			continue
		}
		for _, entry := range list {
			x, id, ok := printedBy(pid, entry.Name())
			if !ok {
				continue
			}
			delete(closed, id)
			if w.tails[id] == nil && len(w.tails)-len(closed)+len(fresh) < maxWritten && w.claims.take(id, w) {
				fresh[id] = x
			}
		}
	}
	if len(fresh) == 0 {
		return closed
	}
	others := alsoPrint(fresh, pids)
	for id, x := range fresh {
		other := others[id]
		if other == ownName { // rampload itself prints there: of itself, and of this very run
			w.claims.leave(id, w)
			continue
		}
		f, err := open(x.open, later)
		if err != nil {
			w.claims.leave(id, w)
			w.lacks(err)
			continue
		}
		keep := &keeper{file: x.name(f.info), service: w.label(), source: w.source, clock: w.clock, servers: w.servers}
		if other != "" {
			keep.service = serviceOf(keep.file)
			w.says("%s prints into %s, too: its lines are told of as the file's", other, keep.file)
		}
		w.found = true
		w.tails[id] = &writtenTail{f, keep}
	}
	return closed
}

// says notes what is not as it seems.
func (w *Written) says(format string, args ...any) {
	if reason := fmt.Sprintf(format, args...); len(w.missing) < 8 && !slices.Contains(w.missing, reason) {
		w.missing = append(w.missing, reason)
	}
}

func (w *Written) lacks(err error) {
	if !errors.Is(err, fs.ErrPermission) {
		return // it ended, or closed the file
	}
	w.says("the descriptors of its processes are shown to their user and to root only")
}
