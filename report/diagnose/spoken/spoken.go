// Package spoken joins what services wrote, into logs and answers, to the transactions that failed:
// by the id that each request carries, else by time. It says which service said what about which
// other, for how many failures, and since when. The rules in causes weigh what that means.
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

// Line is all lines of one log that say the same.
type Line struct {
	says.Statement
	Host, Service, File string
	Text                string // one of the lines
	Format              string
	Lines               float64
	First               float64 // seconds
	At                  []float64
	Count               []float64 // lines at each time in At

	Status uint16 // HTTP status, of an access log or of an answer on the wire; else 0

	To map[netip.Addr]float64 // lines by the receiver of an answer on the wire; empty for a log

	requests map[uint64]float64 // this run's transactions that the lines name, with the time of the line
	foreign  float64            // lines with an id that is not of this run
	among    map[uint64]float64 // for traces: the transactions that have a trace; nil: all

	Edge *Edge // the call that a trace says failed; nil for a log
}

// Replied reports whether the line is an answer from service to service, read on the wire, and not
// of a log. Peer is then the service that answered.
func (l *Line) Replied() bool { return strings.HasPrefix(l.Format, replyFormat) }

// replyFormat is the prefix of the format of answers that were read on the wire.
const replyFormat = "reply "

// Passed reports whether a proxy says that it passed on its peer's answer, and did not write one
// itself.
func (l *Line) Passed() bool { return !l.Peer.IsZero() && strings.Contains(l.Text, probe.WrittenBy) }

// OnlyTo returns the receiver of nearly all answers; ok is false where there are several.
func (l *Line) OnlyTo() (to netip.Addr, ok bool) {
	for a, n := range l.To {
		if n >= 0.95*l.Lines {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// Joined is a line that is joined to failures. Of the Of failures that it could tell of, it tells of
// Times; Share is that as a share of all failures, 0 to 1.
type Joined struct {
	*Line
	By        string // "id" or "time"
	Share     float64
	Times, Of float64
	First     float64 // time of the first line that is joined, seconds since the load began
	Class     Class
	Example   uint64 // number of the first transaction, where ids join
	Hosts     int    // hosts whose logs say the same; 0: only Host
}

// Class is what a failed transaction looks like to the client.
type Class struct {
	Fault  attack.Fault
	Status uint16
	Detail attack.Detail // of gRPC, in place of a status
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

// Bounds of joining.
const (
	maxLines  = 400  // kinds of lines kept; a log may be of unbounded variety
	nearBy    = 1.0  // seconds between a line and a failure, where only time joins them
	fewIDs    = 0.02 // share of the failures below which a line tells of too few
	leastTold = 2    // failures below which a line tells of too few
)

// Read collects the lines of all logs, answers and traces of a run, the most frequent first.
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
		asked := s.Meaning == says.Refused || strings.HasPrefix(e.Line.Format, replyFormat) // then the peer was asked, on whatever port
		if !asked && ends.caller(s.Peer.Addr) {
			s.Peer.Addr = netip.AddrPortFrom(s.Peer.Addr.Addr(), 0) // the peer is a client, which has another port each time
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

// ofAccess reports whether a line states the status of one request.
func ofAccess(e *probe.Event) bool {
	switch e.Line.Format {
	case "access", "envoy", "haproxy", "reply http":
		return e.Line.Status > 0
	}
	return false
}

// peerOf reads the peer that a log names in a field of its own. Of several servers that a proxy
// tried, the last is the one that answered (nginx writes "," between servers and " : " between
// groups of them). A name behind addresses is that of a group without a live server.
func peerOf(s string) says.Peer {
	last := ""
	for tried := range strings.SplitSeq(strings.ReplaceAll(s, " : ", ","), ",") {
		if last == "" || strings.Contains(tried, ":") {
			last = tried
		}
	}
	if p := says.PeerOf(last); !p.IsZero() {
		return p
	}
	return says.ParsePeer(strings.TrimSpace(last), "")
}

var varied = regexp.MustCompile(`[0-9a-f]*[0-9][0-9a-f]*(-[0-9a-f]+)*`)

// pattern returns a text without its numbers and ids, which lines that say the same have in common.
func pattern(s string) string {
	s = varied.ReplaceAllString(strings.ToLower(s), "#")
	return s[:min(len(s), 160)]
}

// Join joins lines to the failures of a target, those that tell of most first. failed is the number
// of failures in each window; open is how many requests that will fail were in flight in each, since
// a line may be written long before the client gives the request up. step is the length of a window
// and timeout the client's timeout, both in seconds.
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
	// The failures whose id a log has kept. Where a log wrote more lines than were kept, only of these
	// is it known what the log says.
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

// byID joins a line to the failures whose ids it has, once for each class of failures.
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

// byTime joins a line without ids. Nearly all its occurrences must be near failures, or while requests
// that will fail were in flight.
func byTime(l *Line, failed, open []float64, all, step, timeout float64) (Joined, bool) {
	if step <= 0 || all == 0 {
		return Joined{}, false
	}
	reach := int(math.Ceil(nearBy / step))
	near, first := 0.0, math.Inf(1)
	busy := 0 // windows near a failure
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
		// A state is logged once, when it begins, and lasts until it is ended. Requests that wait for
		// its end fail only after the client's timeout, so the line may precede the first failure.
		stands := lasts(l.Meaning) && at < float64(begin)*step && at >= float64(begin)*step-max(buffered, timeout+nearBy)
		if stands || around(int(at/step)) {
			near += l.Count[i]
			first = min(first, at)
		}
	}
	// Where requests fail all the time, any line is near a failure. Then it must be about as frequent
	// as they are.
	always := float64(busy) > 0.9*float64(len(failed))
	if near < 0.8*l.Lines || near == 0 || always && near < 0.2*all && !once(l.Meaning) {
		return Joined{}, false
	}
	if l.Meaning == says.None && (near < leastTold || near < fewIDs*all) {
		return Joined{}, false // it is rare, and has no known meaning
	}
	share := min(1, near/all)
	if once(l.Meaning) || lasts(l.Meaning) && first < float64(begin)*step {
		share = 1
	}
	return Joined{Line: l, By: "time", Share: share, Times: near, Of: all, First: first}, true
}

// once reports whether software says this once and not for each request: that a limit was reached,
// that a process ended.
func once(m says.Meaning) bool {
	switch m {
	case says.Workers, says.Tracking, says.Backlog, says.Slots, says.Killed, says.Crashed, says.Starting:
		return true
	}
	return false
}

// buffered is how long buffers may hide a state from callers, in seconds. A state logged earlier than
// that, and than the client's timeout, may have ended before the failures.
const buffered = 15.0

// lasts reports whether software says this when it enters a state, and not for each request that it
// then refuses: a store or disk is full, or read-only.
func lasts(m says.Meaning) bool {
	return m == says.Store || m == says.Disk || m == says.FileAccess || m == says.ReadOnly
}

// mostSaid is the number of rows that a report has for a target.
const mostSaid = 16

// Report turns joined lines into rows of the report, at most mostSaid. load returns the offered load at
// a time, requests per second; NaN where it is not known.
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
