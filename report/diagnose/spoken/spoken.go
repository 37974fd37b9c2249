// Package spoken joins what services wrote into their logs to the transactions that
// failed: by the id that every request carries, else by time. It says who said what of
// whom, of how many, and since when; what that means for the cause is weighed elsewhere.
package spoken

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/says"
	"github.com/rampload/rampload/report/runlog"
)

// Line is lines of one log that say the same.
type Line struct {
	says.Statement
	Host, Service, File string
	Text                string // one of them
	Format              string
	Lines               float64
	First               float64 // seconds
	At                  []float64
	Count               []float64 // by At

	Status uint16 // that was answered, of an access log or an answer of HTTP; else 0

	To map[netip.Addr]float64 // whom an answer on the wire went to; empty of a log

	requests map[uint64]float64 // of this run's transactions: when
	foreign  float64            // lines with an id of something else
	among    map[uint64]float64 // transactions that it is told of, of traces: those that have one; nil: all

	Edge *Edge // of what a trace says; nil: a log does
}

// Replied reports whether it was said in an answer from service to service, and not in a
// log. Peer is then the service that answered.
func (l *Line) Replied() bool { return strings.HasPrefix(l.Format, replyFormat) }

// replyFormat begins the format of an answer that was read on the wire.
const replyFormat = "reply "

// Passed reports whether it is a proxy's word that it passed on the answer of its peer, and
// did not write it itself.
func (l *Line) Passed() bool { return !l.Peer.IsZero() && strings.Contains(l.Text, probe.WrittenBy) }

// OnlyTo returns whom nearly all answers went to; ok is false where they went to several.
func (l *Line) OnlyTo() (to netip.Addr, ok bool) {
	for a, n := range l.To {
		if n >= 0.95*l.Lines {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// Joined is lines that are joined to failures.
type Joined struct {
	*Line
	By        string // "id" or "time"
	Share     float64
	Times, Of float64
	First     float64 // seconds, of those that are joined
	Class     Class
	Example   uint64 // the first transaction, where ids join
	Hosts     int    // whose logs say so alike; 0: that of Host alone
}

// Class is what failed transactions look like to the client.
type Class struct {
	Fault  attack.Fault
	Status uint16
	Detail attack.Detail // of gRPC, instead of a status
}

// String returns "status 502", "reset".
func (c Class) String() string {
	if !c.Detail.IsZero() {
		return c.Detail.String()
	}
	if c.Fault == attack.Status {
		return "status " + strconv.Itoa(int(c.Status))
	}
	return c.Fault.String()
}

// Bounds of what is joined.
const (
	maxLines  = 400 // kinds of lines
	nearBy    = 1.0 // seconds: how far a line may be from the failure that it tells of, where only time joins them
	fewIDs    = 0.02
	leastTold = 2
)

// Read collects what the logs of a run say, the commonest first.
func Read(log *runlog.Log) []*Line {
	type key struct{ host, service, what, peer string }
	lines := map[key]*Line{}
	ends := endsOf(log)
	for i := range log.Events {
		e := &log.Events[i]
		if e.Kind != probe.LogLine || e.Line == nil {
			continue
		}
		s, known := says.Read(e.Reason)
		if e.Line.Peer != "" {
			s.Peer = peerOf(e.Line.Peer)
		}
		asked := s.Meaning == says.Refused || strings.HasPrefix(e.Line.Format, replyFormat) // who refuses or answers was
		if !asked && ends.caller(s.Peer.Addr) {
			s.Peer.Addr = netip.AddrPortFrom(s.Peer.Addr.Addr(), 0) // whom it is said to, each time on another port
		}
		what := s.Meaning.String()
		if !known {
			what = pattern(e.Reason)
		}
		if ofAccess(e) {
			what += " " + strconv.Itoa(int(e.Line.Status))
		}
		k := key{e.Host, e.Process, what, s.Peer.String()}
		l := lines[k]
		if l == nil {
			if len(lines) >= maxLines {
				continue
			}
			l = &Line{Statement: s, Host: e.Host, Service: e.Process, File: e.Line.File, Text: e.Reason, Format: e.Line.Format, Status: e.Line.Status, First: e.At.Seconds(), To: map[netip.Addr]float64{}, requests: map[uint64]float64{}}
			lines[k] = l
		}
		n := float64(max(1, e.Count))
		at := e.At.Seconds()
		if l.Replied() && e.Remote.Addr().IsValid() {
			l.To[e.Remote.Addr()] += n
		}
		l.Lines += n
		l.First = min(l.First, at)
		l.At, l.Count = append(l.At, at), append(l.Count, n)
		if request, ok := RequestOf(log.Header.RunID, e.Line.ID); ok {
			if _, again := l.requests[request]; !again {
				l.requests[request] = at
			}
		} else if e.Line.ID != "" {
			l.foreign += n
		}
	}
	out := readTraces(log)
	for _, l := range lines {
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b *Line) int {
		return cmp.Or(-cmp.Compare(a.Lines, b.Lines), cmp.Compare(a.Host, b.Host), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Text, b.Text))
	})
	return out
}

// ofAccess reports whether a line is of an access log.
func ofAccess(e *probe.Event) bool {
	switch e.Line.Format {
	case "access", "envoy", "haproxy", "reply http":
		return e.Line.Status > 0
	}
	return false
}

func peerOf(s string) says.Peer {
	s, _, _ = strings.Cut(s, ",") // the last of several that a proxy tried is the one that answered
	if p := says.PeerOf(s); !p.IsZero() {
		return p
	}
	return says.ParsePeer(strings.TrimSpace(s), "")
}

var varied = regexp.MustCompile(`[0-9a-f]*[0-9][0-9a-f]*(-[0-9a-f]+)*`)

// pattern is what lines that say the same have in common.
func pattern(s string) string {
	s = varied.ReplaceAllString(strings.ToLower(s), "#")
	return s[:min(len(s), 160)]
}

// Join joins lines to the failures of a target. failed is how many failed in each window
// of the given length, in seconds; open is how many of those that fail were under way,
// from when they were due on: what is said of one may be said long before it is given up.
// timeout is the client's, in seconds: those who wait for a service do so for that long before
// they fail.
func Join(lines []*Line, failures []*attack.Failure, failed, open []float64, step, timeout float64) []Joined {
	classes := map[uint64]Class{}
	totals := map[Class]float64{}
	for _, f := range failures {
		if f.Phase == attack.PhaseIdle || !f.Fault.Failure() {
			continue
		}
		if _, again := classes[f.Request]; again {
			continue
		}
		c := Class{Fault: f.Fault}
		if f.Fault == attack.Status {
			if c.Status = f.Status; f.Detail.HTTPStatus() != 0 {
				c.Detail = f.Detail
			}
		}
		classes[f.Request] = c
		totals[c]++
	}
	if len(totals) == 0 {
		return nil
	}
	// Failures of which a log has kept an id: where it wrote more than it kept, only of
	// these can it be known what it says.
	kept := map[[2]string]map[uint64]bool{}
	for _, l := range lines {
		k := [2]string{l.Host, l.Service}
		for r := range l.requests {
			if _, ours := classes[r]; ours {
				if kept[k] == nil {
					kept[k] = map[uint64]bool{}
				}
				kept[k][r] = true
			}
		}
	}
	most := Class{}
	for c, n := range totals {
		if n > totals[most] || n == totals[most] && c.String() < most.String() {
			most = c
		}
	}
	all := 0.0
	for _, n := range failed {
		all += n
	}
	var out []Joined
	for _, l := range lines {
		if len(l.requests) > 0 {
			out = append(out, byID(l, classes, totals, kept[[2]string{l.Host, l.Service}])...)
			continue
		}
		if j, ok := byTime(l, failed, open, all, step, timeout); ok {
			j.Class = most
			out = append(out, j)
		}
	}
	slices.SortStableFunc(out, func(a, b Joined) int { return -cmp.Compare(a.Share, b.Share) })
	return out
}

func byID(l *Line, classes map[uint64]Class, totals map[Class]float64, kept map[uint64]bool) []Joined {
	hits, first, example := map[Class]float64{}, map[Class]float64{}, map[Class]uint64{}
	for r, at := range l.requests {
		c, ours := classes[r]
		if !ours {
			continue
		}
		if hits[c] == 0 || at < first[c] {
			first[c], example[c] = at, r
		}
		hits[c]++
	}
	all := 0.0
	for _, n := range totals {
		all += n
	}
	sampled := float64(len(l.requests)) < 0.9*(l.Lines-l.foreign)
	var out []Joined
	for c, n := range hits {
		of := totals[c]
		if l.among != nil {
			kept = keys(l.among)
		}
		if sampled || l.among != nil {
			of = 0
			for r := range kept {
				if classes[r] == c {
					of++
				}
			}
		}
		if n < leastTold && n < 0.5*of || n < fewIDs*of {
			continue
		}
		out = append(out, Joined{Line: l, By: "id", Example: example[c], Share: n / max(of, 1) * totals[c] / all, Times: n, Of: of, First: first[c], Class: c})
	}
	slices.SortFunc(out, func(a, b Joined) int {
		return cmp.Or(-cmp.Compare(a.Times, b.Times), cmp.Compare(a.Class.String(), b.Class.String()))
	})
	return out
}

func keys(of map[uint64]float64) map[uint64]bool {
	out := make(map[uint64]bool, len(of))
	for k := range of {
		out[k] = true
	}
	return out
}

// byTime joins lines without an id: nearly all of them came when requests failed, or were
// under way that would, and hardly any when none did.
func byTime(l *Line, failed, open []float64, all, step, timeout float64) (Joined, bool) {
	if step <= 0 || all == 0 {
		return Joined{}, false
	}
	reach := int(math.Ceil(nearBy / step))
	near, first := 0.0, math.Inf(1)
	busy := 0 // windows that are near a failure
	around := func(i int) bool {
		for j := max(0, i-reach); j <= min(len(failed)-1, i+reach); j++ {
			if failed[j] > 0 || j < len(open) && open[j] > 0 {
				return true
			}
		}
		return false
	}
	for i := range failed {
		if around(i) {
			busy++
		}
	}
	begin := slices.IndexFunc(failed, func(n float64) bool { return n > 0 })
	for i, at := range l.At {
		if at < -nearBy {
			continue
		}
		// A state that is said when it begins holds until somebody ends it: those who wait for
		// that fail only when the client's timeout is over.
		stands := lasts(l.Meaning) && at < float64(begin)*step && at >= float64(begin)*step-max(buffered, timeout+nearBy)
		if stands || around(int(at/step)) {
			near += l.Count[i]
			first = min(first, at)
		}
	}
	// Where requests fail all the time, any line is near a failure: it must at least be as
	// common as they are.
	always := float64(busy) > 0.9*float64(len(failed))
	if near < 0.8*l.Lines || near == 0 || always && near < 0.2*all && !once(l.Meaning) {
		return Joined{}, false
	}
	if l.Meaning == says.None && (near < leastTold || near < fewIDs*all) {
		return Joined{}, false // it says nothing that is known, and hardly ever
	}
	share := min(1, near/all)
	if once(l.Meaning) || lasts(l.Meaning) && first < float64(begin)*step {
		share = 1
	}
	return Joined{Line: l, By: "time", Share: share, Times: near, Of: all, First: first}, true
}

// once reports whether software says something once and not for each request: a limit that
// was reached, a process that ended.
func once(m says.Meaning) bool {
	switch m {
	case says.Workers, says.Tracking, says.Backlog, says.Slots, says.Killed, says.Crashed, says.Starting:
		return true
	}
	return false
}

// buffered is how long buffers may hide a state from those who ask, in seconds. Of what was
// said longer ago than that, and than anybody waits, it cannot be known whether it still holds.
const buffered = 15.0

// lasts reports whether software says a state when it enters it, and not for each request
// that is refused meanwhile: a store or a disk is full, or nothing may be written.
func lasts(m says.Meaning) bool {
	return m == says.Store || m == says.Disk || m == says.FileAccess || m == says.ReadOnly
}

// mostSaid bounds what is told of a target.
const mostSaid = 16

// Report turns what was joined into rows of a report. load gives the offered load at a
// time, NaN where it is not known.
func Report(joined []Joined, load func(at float64) float64) []report.Said {
	var out []report.Said
	for _, j := range joined[:min(len(joined), mostSaid)] {
		s := report.Said{
			Fault: j.Class.String(), Host: j.Host, Service: j.Service, Peer: j.Peer.String(), Says: j.Text, File: j.File, Joined: j.By,
			Times: uint64(j.Times), Of: uint64(j.Of), Lines: uint64(j.Lines), FirstS: j.First,
		}
		if j.Meaning != says.None {
			s.Meaning = j.Meaning.String()
		}
		if e := j.Edge; e != nil {
			s.Joined, s.Edge = "trace", &report.Edge{From: e.From, To: e.To, Operation: e.Operation, TraceID: fmt.Sprintf("%s%016x", e.run, j.Example), GoodTimes: uint64(e.GoodTimes), GoodOf: uint64(e.GoodOf)}
		}
		if v := load(j.First); !math.IsNaN(v) && v > 0 {
			s.FirstRPS = &v
		}
		out = append(out, s)
	}
	return out
}
