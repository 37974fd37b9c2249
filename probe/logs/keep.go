package logs

import (
	"cmp"
	"strings"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/logs/parse"
)

// Bounds of what is handed on in a second of what one service writes into one log.
const (
	perPattern  = 2   // lines without an id that say the same
	maxWithID   = 100 // lines with an id
	maxPatterns = 60
	maxPerTurn  = 300
	maxVoices   = 32 // services; all others share one's bounds
)

// keeper hands on the lines of one log that tell of a fault: of those that say the same in
// a second a few whole, and the others as a number. It belongs to one goroutine.
type keeper struct {
	parser  parse.Parser
	file    string
	service string // by the profile, or the name of the file
	source  probe.Source
	clock   probe.Clock
	servers *servers // nil: names of servers stay names

	turn    time.Duration // of this second
	voices  map[string]*voice
	pending *parse.Entry // may go on in the next line
	arrived time.Duration
	part    string // of a line that a container runtime writes in parts
	trace   trace  // how far a traceback was read
	dropped uint64
	skewed  uint64
	off     time.Duration // the farthest of them; positive: their time is behind
	seen    uint64
	clocks  map[voiceClock]*writerClock
}

// trace is how far a Python traceback was read.
type trace uint8

const (
	noTrace     trace = iota
	inTrace           // its frames are being read
	behindTrace       // its exception was read
	linked            // and that it led to another, which follows
)

// mayBegin reports whether a traceback that follows an entry belongs to it: to the message
// that was logged with it, or to the traceback before.
func (t trace) mayBegin(e *parse.Entry) bool {
	return t == linked || t == noTrace && e.Level >= parse.LevelError
}

// voice is what one service wrote in a second. Each has bounds of its own: in a journal or
// a store, where many write, one that is loud (the kernel's fifty lines of an
// out-of-memory kill) must not silence the others.
type voice struct {
	patterns map[string]*pattern
	withID   int
	sent     int
}

// pattern is lines of one second that say the same but for numbers.
type pattern struct {
	times uint64 // that were not handed on
	last  parse.Entry
}

// line takes a line that was read at a time.
func (k *keeper) line(text string, now time.Duration, emit func(probe.Event)) {
	text, stamp, whole := k.whole(text)
	if !whole {
		return
	}
	k.seen++
	if k.pending != nil {
		if k.goesOn(text) {
			return
		}
		k.keep(emit)
	}
	if text == "" {
		return
	}
	e := k.parser.Parse(text)
	if !e.Tells() {
		return
	}
	if stamp != "" { // the runtime's clock has a zone, and the host's time
		e.Time = stamp
	}
	k.arrived = now
	k.trace = noTrace
	if parse.BeginsTraceback(text) {
		k.trace = inTrace
	}
	if e.Format != "text" && e.Format != "json" {
		k.pending = &e
		k.keep(emit) // ends with its line
		return
	}
	k.pending = &e
}

// goesOn adds a line to the one before if it belongs to it: of a stack trace what says
// why.
func (k *keeper) goesOn(text string) bool {
	e := k.pending
	const most = 2 * parse.MaxText
	switch {
	case k.trace.mayBegin(e) && parse.BeginsTraceback(text) && text[0] == 'T':
		k.trace = inTrace
		return true
	case k.trace == behindTrace && parse.LinksTracebacks(text):
		k.trace = linked
		return true
	case (k.trace == behindTrace || k.trace == linked) && text == "":
		return true
	case k.trace == inTrace && parse.EndsTraceback(text):
		// What follows "Traceback" only leads up to its last line.
		if at := strings.Index(e.Text, "Traceback (most"); at >= 0 {
			e.Text = e.Text[:at] + text
		} else {
			e.Text = parse.Joined(e.Text, text)
		}
		k.trace = behindTrace
		return true
	case !parse.Continues(text):
		return false
	case strings.HasPrefix(text, "Caused by:") && len(e.Text) < most:
		e.Text += " " + text
	case strings.HasPrefix(text, "\t") && !strings.HasPrefix(text, "\tat ") && len(e.Text) < parse.MaxText/2, // PostgreSQL goes on so
		strings.HasPrefix(text, " ") && k.trace != inTrace && len(e.Text) < parse.MaxText/4:
		e.Text += " " + strings.TrimSpace(text)
	}
	return true
}

// flush hands on what waits for a line that goes on, and the numbers of a second that is
// over.
func (k *keeper) flush(now time.Duration, emit func(probe.Event)) {
	if k.pending != nil {
		k.keep(emit)
	}
	if now-k.turn < time.Second {
		return
	}
	k.turnOver(emit)
	k.turn = now
}

// turnOver ends a second: it hands on how often what was handed on was said besides.
func (k *keeper) turnOver(emit func(probe.Event)) {
	for _, v := range k.voices {
		for _, p := range v.patterns {
			if p.times > 0 {
				k.emit(p.last, p.times, emit)
			}
		}
	}
	clear(k.voices)
}

// voice is that of the service which wrote a line.
func (k *keeper) voice(e parse.Entry) *voice {
	name := k.serviceOf(e)
	v := k.voices[name]
	if v == nil && len(k.voices) >= maxVoices {
		name = ""
		v = k.voices[name]
	}
	if v == nil {
		v = &voice{patterns: map[string]*pattern{}}
		if k.voices == nil {
			k.voices = map[string]*voice{}
		}
		k.voices[name] = v
	}
	return v
}

func (k *keeper) serviceOf(e parse.Entry) string { return cmp.Or(e.Service, k.service) }

func (k *keeper) keep(emit func(probe.Event)) {
	e := *k.pending
	k.pending, k.trace = nil, noTrace
	e.Finish()
	if at := k.servers.at(e.Server, k.arrived); at != "" {
		e.Peer = at
	}
	v := k.voice(e)
	key := patternOf(e)
	p, known := v.patterns[key]
	if !known {
		if len(v.patterns) >= maxPatterns {
			k.dropped++
			return
		}
		p = &pattern{}
		v.patterns[key] = p
	}
	p.last = e
	switch {
	case v.sent >= maxPerTurn:
	case e.ID != "" && v.withID < maxWithID:
		v.withID++
		v.sent++
		k.emit(e, 1, emit)
		return
	case !known || e.ID == "" && v.sent < perPattern*maxPatterns && p.times == 0:
		v.sent++
		k.emit(e, 1, emit)
		return
	}
	p.times++
}

// patternOf is what lines that say the same have in common: their words without numbers
// and what varies like one.
func patternOf(e parse.Entry) string {
	b := make([]byte, 0, 128)
	b = append(b, byte(e.Level), byte(e.Status), byte(e.Status>>8))
	digits := false
	for i := 0; i < len(e.Text) && len(b) < 128; i++ {
		c := e.Text[i]
		if c >= '0' && c <= '9' {
			if !digits {
				b = append(b, '#')
			}
			digits = true
			continue
		}
		if digits && parse.Hex(c) {
			continue
		}
		digits = false
		b = append(b, c)
	}
	return string(b)
}

func (k *keeper) emit(e parse.Entry, times uint64, emit func(probe.Event)) {
	at := k.dated(e)
	event := probe.Event{
		Kind: probe.LogLine, At: at, Source: k.source, Host: k.source.Host, Process: k.serviceOf(e), Reason: e.Text, Count: times,
		Line: &probe.Line{File: parse.Clean(k.file, 200), Level: e.Level.String(), ID: e.ID, Peer: e.Peer, Format: e.Format},
	}
	if times > 1 {
		event.Line.ID = "" // it stands for many
	}
	if e.Status > 0 {
		event.Line.Status = uint16(e.Status)
	}
	emit(event)
}
