package replies

import (
	"net/netip"
	"strings"
	"time"

	"github.com/rampload/rampload/probe"
)

// Options say where replies are read.
type Options struct {
	Host  string
	Netns string // path of the network namespace; empty: the own one
	Clock probe.Clock
	// Local reports whether an address is of the watched host.
	Local func(netip.Addr) bool
	// Watched reports whether an address is of any host whose replies are read where they
	// are sent: they are not told once more where they are read.
	Watched func(netip.Addr) bool
	// SentOnly leaves out what the host is answered: it reads that itself.
	SentOnly bool
}

// sourceName names the source in reports.
const sourceName = "replies"

// seen is a reply with its ends.
type seen struct {
	from, to netip.AddrPort
	out      bool // this host sends it
	reply    Reply
	well     bool    // it is an answer that is no error, and no reply
	nothing  bool    // it says that nothing is there, and is no reply
	message  message // of a name server, or to one
	at       time.Duration
	frames   []byte // what may be frames of HTTP/2; valid until the next packet is read
	whole    bool   // all of it was taken
}

// Bounds of what is handed on in a second.
const (
	whole    = 2   // of replies that say the same, whole
	patterns = 100 // kinds of replies
)

// folder hands on replies: of those that say the same in a second a few whole, and the
// others as a number.
type folder struct {
	opts  Options
	turn  time.Duration
	kinds map[kind]*tally
	well  map[counted]*tally // answers that were no errors, by who sent them
	lost  uint64
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
	last  seen
}

// more adds replies that the kernel had no room for: a part of those that were just read.
func (f *folder) more(part float64) {
	for _, t := range f.kinds {
		t.times += uint64(part*float64(t.fresh) + 0.5)
	}
	for _, t := range f.well {
		t.times += uint64(part*float64(t.fresh) + 0.5)
	}
}

// tick ends a reading.
func (f *folder) tick() {
	for _, t := range f.kinds {
		t.fresh = 0
	}
	for _, t := range f.well {
		t.fresh = 0
	}
}

// take takes a reply; one of a connection that only passes this host is another's.
func (f *folder) take(s seen, emit func(probe.Event)) {
	s.out = f.opts.Local(s.from.Addr())
	if !s.out && (f.opts.SentOnly || !f.opts.Local(s.to.Addr()) || f.opts.Watched(s.from.Addr())) {
		return
	}
	if s.well || s.nothing {
		f.count(counted{s.from, s.nothing})
		return
	}
	f.add(s, emit)
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

func (f *folder) add(s seen, emit func(probe.Event)) {
	k := kind{s.from, s.to.Addr(), pattern(s.reply.Text)}
	t := f.kinds[k]
	if t == nil {
		if len(f.kinds) >= patterns {
			f.lost++
			return
		}
		t = &tally{}
		f.kinds[k] = t
	}
	t.last = s
	t.fresh++
	if t.told < whole {
		t.told++
		f.emit(s, 1, emit)
		return
	}
	t.times++
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
	for from, t := range f.well {
		e := probe.Event{
			Kind: probe.Answered, At: now, Source: probe.Source{Host: f.opts.Host, Name: sourceName}, Host: f.opts.Host,
			Local: from.from, Count: t.times * sampled, Value: sampled,
		}
		if from.nothing {
			e.Reason = probe.NothingThere
		}
		emit(e)
	}
	clear(f.well)
}

func (f *folder) emit(s seen, times uint64, emit func(probe.Event)) {
	e := probe.Event{
		Kind: probe.LogLine, At: s.at, Source: probe.Source{Host: f.opts.Host, Name: sourceName}, Host: f.opts.Host, Process: s.reply.Protocol, Reason: s.reply.Text, Count: times,
		Local: s.from, Remote: netip.AddrPortFrom(s.to.Addr(), 0),
		Line: &probe.Line{File: sourceName, Level: "error", Peer: s.from.String(), Format: "reply " + s.reply.Protocol},
	}
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
