package replies

import (
	"fmt"
	"hash/maphash"
	"net/netip"
	"strings"
	"time"

	"github.com/rampload/rampload/probe"
)

// Bounds of what is handed on in a second, and of what is read for that.
const (
	whole    = 2   // of replies that say the same, whole
	patterns = 100 // kinds of replies
	reading  = 40  // texts between two ticks: each costs tens of microseconds
	prints   = 512 // texts that are known again without being read
)

// folder hands on replies: of those that say the same in a second a few whole, and the
// others as a number. Most of many replies are the same, byte for byte but for numbers, and
// are counted without being read. It is for one goroutine.
type folder struct {
	opts  Options
	turn  time.Duration
	kinds map[kind]*tally
	well  map[counted]*tally // answers that were no errors, by who sent them
	known map[uint64]*tally  // by what the replies of a kind are known by again
	seed  maphash.Seed
	read  int // texts that were read in this reading
	over  int // those beyond reading
	lost  uint64
	gaps  gaps
}

// counted is what is counted only: who sent it, and whether it says that nothing is there.
type counted struct {
	from    netip.AddrPort
	nothing bool
}

type kind struct {
	from netip.AddrPort
	to   netip.Addr
	text string
}

type tally struct {
	times uint64 // not handed on yet
	told  int
	fresh uint64 // of this reading
	texts int    // of these, those that were read
	last  seen
}

// packet takes a packet that the filter passed.
func (f *folder) packet(p packet, at time.Duration, emit func(probe.Event)) {
	s := seen{from: p.from, to: p.to, at: at}
	if p.datagram || !f.ours(&s) {
		return
	}
	if nothing := Nothing(p.data); nothing || Well(p.data) {
		f.count(counted{s.from, nothing})
		return
	}
	print := f.print(s, p.data)
	if t := f.known[print]; t != nil {
		t.times++
		t.fresh++
		return
	}
	if f.read >= reading {
		f.over++
		return
	}
	f.read++
	var ok bool
	if s.reply, ok = Read(p.data); !ok {
		return
	}
	t := f.add(s, emit)
	if t == nil {
		return
	}
	t.texts++
	t.fresh++
	if t.told == whole && len(f.known) < prints {
		if f.known == nil {
			f.known = map[uint64]*tally{}
		}
		f.known[print] = t
	}
}

// print is what a reply is known by again: its ends, and its bytes but for numbers.
func (f *folder) print(s seen, data []byte) uint64 {
	if f.seed == (maphash.Seed{}) {
		f.seed = maphash.MakeSeed()
	}
	var b [snapLength + 64]byte
	n := copy(b[:], s.from.Addr().AsSlice())
	n += copy(b[n:], s.to.Addr().AsSlice())
	b[n], b[n+1] = byte(s.from.Port()>>8), byte(s.from.Port())
	n += 2
	for _, c := range data[:min(len(data), snapLength)] {
		if c >= '0' && c <= '9' {
			c = '#'
		}
		b[n] = c
		if c != '#' || b[n-1] != '#' {
			n++
		}
	}
	return maphash.Bytes(f.seed, b[:n])
}

// tick ends a reading, of so many packets, while lost ones came that there was no room for.
// Those, and replies beyond what is read, count as the others do.
func (f *folder) tick(read, lost int, now time.Duration) {
	f.gaps.add(lost+f.over, now)
	add := func(t *tally) {
		if f.over > 0 {
			more := uint64(float64(f.over)*float64(t.texts)/float64(f.read) + 0.5)
			t.times, t.fresh = t.times+more, t.fresh+more
		}
		if read > 0 {
			t.times += uint64(float64(lost)*float64(t.fresh)/float64(read) + 0.5)
		}
		t.fresh, t.texts = 0, 0
	}
	for _, t := range f.kinds {
		add(t)
	}
	for _, t := range f.well {
		add(t)
	}
	f.read, f.over = 0, 0
}

// ours reports whether a reply is to be told here; one of a connection that only passes this
// host is another's.
func (f *folder) ours(s *seen) bool {
	s.out = f.opts.Local(s.from.Addr())
	return s.out || !f.opts.SentOnly && f.opts.Local(s.to.Addr()) && !f.opts.Watched(s.from.Addr())
}

// take takes a reply.
func (f *folder) take(s seen, emit func(probe.Event)) {
	if f.ours(&s) {
		f.add(s, emit)
	}
}

// count counts an answer that was no error.
func (f *folder) count(from counted) {
	t := f.well[from]
	if t == nil {
		if len(f.well) >= patterns {
			f.lost++
			return
		}
		if f.well == nil {
			f.well = map[counted]*tally{}
		}
		t = &tally{}
		f.well[from] = t
	}
	t.times++
	t.fresh++
}

// late takes a look-up that nobody answered: only its asker knows.
func (f *folder) late(s seen, emit func(probe.Event)) {
	if !f.opts.SentOnly {
		f.add(s, emit)
	}
}

// add adds a reply, and returns what its kind is counted by; nil: it is of one kind too many.
func (f *folder) add(s seen, emit func(probe.Event)) *tally {
	k := kind{s.from, s.to.Addr(), pattern(s.reply.Text)}
	t := f.kinds[k]
	if t == nil {
		if len(f.kinds) >= patterns {
			f.lost++
			return nil
		}
		if f.kinds == nil {
			f.kinds = map[kind]*tally{}
		}
		t = &tally{}
		f.kinds[k] = t
	}
	t.last = s
	if t.told < whole {
		t.told++
		f.emit(s, 1, emit)
		return t
	}
	t.times++
	return t
}

// flush hands on the numbers of a second that is over; last: of the last one.
func (f *folder) flush(now time.Duration, last bool, emit func(probe.Event)) {
	if now-f.turn < time.Second && !last {
		return
	}
	f.turn = now
	for _, t := range f.kinds {
		if t.times > 0 {
			f.emit(t.last, t.times, emit)
		}
	}
	clear(f.kinds)
	clear(f.known)
	for from, t := range f.well {
		e := f.opts.event(probe.Answered, now)
		e.Local, e.Count, e.Value = from.from, t.times*sampled, sampled
		if from.nothing {
			e.Reason = probe.NothingThere
		}
		emit(e)
	}
	clear(f.well)
}

func (f *folder) emit(s seen, times uint64, emit func(probe.Event)) {
	e := f.opts.event(probe.LogLine, s.at)
	e.Process, e.Reason, e.Count = s.reply.Protocol, s.reply.Text, times
	e.Local, e.Remote = s.from, netip.AddrPortFrom(s.to.Addr(), 0)
	e.Line = &probe.Line{File: sourceName, Level: "error", Peer: s.from.String(), Format: "reply " + s.reply.Protocol}
	if s.reply.Status > 0 {
		e.Line.Status = uint16(s.reply.Status)
	}
	emit(e)
}

// pattern is what replies that say the same have in common.
func pattern(text string) string {
	digits := false
	return strings.Map(func(r rune) rune {
		number := r >= '0' && r <= '9'
		if number && digits {
			return -1
		}
		if digits = number; number {
			return '#'
		}
		return r
	}, text)
}

// missing says what was not told, or not read.
func (f *folder) missing() (out []*probe.Unsupported) {
	if f.lost > 0 {
		out = append(out, &probe.Unsupported{What: sourceName, Reason: fmt.Sprintf("%d were of more kinds than are told in a second", f.lost)})
	}
	if f.gaps.packets > 0 {
		out = append(out, &probe.Unsupported{What: sourceName, Reason: f.gaps.text("packets") + ": their number is estimated from the others"})
	}
	return out
}
