package spoken

import (
	"cmp"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/says"
	"github.com/rampload/rampload/report/runlog"
)

// TraceFormat is the format of lines that come from traces.
const TraceFormat = "trace"

// Edge is the call at which traces of failed transactions failed.
type Edge struct {
	From, To  string // the caller and the service called; From is empty at the first service
	Operation string
	// GoodTimes is the number of traces, of the GoodOf of transactions that succeeded, in which the
	// same call failed the same way.
	GoodTimes, GoodOf float64

	run string // id
}

// String returns "orders -> payments".
func (e Edge) String() string {
	switch {
	case e.From == "":
		return e.To
	case e.To == "":
		return e.From
	}
	return e.From + " -> " + e.To
}

// readTraces turns traces into lines: one for each edge and each wording of its failure. Each line
// has the transactions of which a trace was found, as it can tell of no others.
func readTraces(log *runlog.Log) []*Line {
	type key struct {
		from, to, service, what string
		calls                   bool
	}
	lines := map[key]*Line{}
	var order []*Line
	among := map[uint64]float64{}
	good := 0.0
	for i := range log.Events {
		e := &log.Events[i]
		if e.Kind != probe.TraceRead || e.Trace == nil || e.Trace.Services == 0 {
			continue // a trace without spans of services says nothing
		}
		t := e.Trace
		request, ours := RequestOf(log.Header.RunID, t.ID)
		if !ours {
			continue
		}
		if t.Good {
			good++
		} else {
			among[request] = e.At.Seconds()
		}
		if e.Process == "" {
			continue
		}
		s, known := says.Read(e.Reason)
		what := s.Meaning.String()
		if !known {
			what = pattern(e.Reason)
		}
		if named := peerOf(cmp.Or(t.Peer, t.To)); t.Calls && !named.IsZero() {
			s.Peer = named
		}
		k := key{t.From, t.To, e.Process, what, t.Calls}
		l := lines[k]
		if l == nil {
			if len(lines) >= maxLines {
				continue
			}
			l = &Line{
				Statement: s, Service: e.Process, File: e.Source.Name, Text: cmp.Or(e.Reason, t.Operation+" failed"), Format: TraceFormat, First: e.At.Seconds(), requests: map[uint64]float64{},
				Edge: &Edge{From: t.From, To: cmp.Or(t.To, t.Peer), Operation: t.Operation, run: log.Header.RunID},
			}
			lines[k] = l
			order = append(order, l)
		}
		if t.Good {
			l.Edge.GoodTimes++
			continue
		}
		at := e.At.Seconds()
		l.Lines++
		l.At, l.Count = append(l.At, at), append(l.Count, 1)
		l.First = min(l.First, at)
		l.requests[request] = at
	}
	out := order[:0]
	for _, l := range order {
		if l.Lines > 0 {
			l.among, l.Edge.GoodOf = among, good
			out = append(out, l)
		}
	}
	return out
}

// CountTraces counts the traces of failed transactions of a run; nil where none was asked for.
func CountTraces(log *runlog.Log) *report.TraceCount {
	var n report.TraceCount
	for i := range log.Events {
		e := &log.Events[i]
		if e.Kind != probe.TraceRead || e.Trace == nil || e.Trace.Good {
			continue
		}
		n.Asked++
		if e.Trace.Spans == 0 {
			continue
		}
		n.Found++
		switch {
		case e.Trace.Services == 0:
			n.WithoutServices++
		case e.Process == "":
			n.WithoutFailure++
		}
	}
	if n.Asked == 0 {
		return nil
	}
	return &n
}
