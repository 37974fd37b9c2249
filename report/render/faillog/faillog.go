// Package faillog writes failed attempts as lines of JSON while a run goes on.
package faillog

import (
	"encoding/json"
	"net/netip"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report"
)

// Log writes failed attempts as JSON lines, for logs that are joined with
// those of the target by transaction or trace id. It is not safe for concurrent
// use.
type Log struct {
	started time.Time
	run     attack.RunID
	targets []string
	content [][]string
	series  *report.Series
}

// New returns a log for a run that started at the given wall clock time
// on the named targets. The series, which may be nil, is the one that windows are
// added to while the run goes on: it gives the offered load, of the failure's due
// window or the one nearest to it that is known. content names the checks and extracts
// of each target (see [attack.Content]); nil: no target has any.
func New(started time.Time, run attack.RunID, targets []string, content [][]string, series *report.Series) *Log {
	return &Log{started: started, run: run, targets: targets, content: content, series: series}
}

// failureLine is the form of one line; names are a stable interface.
type failureLine struct {
	Timestamp     string          `json:"timestamp"`
	Level         string          `json:"level"`
	Message       string          `json:"message"`
	Service       string          `json:"service"`
	Peer          string          `json:"peer"`
	RemoteAddress string          `json:"remoteAddress,omitempty"`
	LocalAddress  string          `json:"localAddress,omitempty"`
	TransactionID string          `json:"transactionId,omitempty"`
	TraceID       string          `json:"traceId,omitempty"`
	Phase         string          `json:"phase"`
	Fault         string          `json:"fault"`
	Detail        string          `json:"detail,omitempty"` // what the fault's protocol said
	Status        int             `json:"status,omitempty"`
	Try           int             `json:"try"`
	Final         bool            `json:"final"` // no retry follows
	Connection    *connectionLine `json:"connection"`
	OfferedRPS    *float64        `json:"offered_rps"`
}

type connectionLine struct {
	Reused   bool    `json:"reused"`
	Requests uint32  `json:"requests"`
	AgeMS    float64 `json:"age_ms"`
	IdleMS   float64 `json:"idle_ms"`
}

// Append appends one failure as a line, newline included, to b. A canceled
// attempt and a local fault have the level "warn", others "error". An idle
// connection that was reset belongs to no request, so it has no transaction.
func (l *Log) Append(b []byte, f attack.Failure) []byte {
	line := failureLine{
		Timestamp: l.started.Add(f.End).UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
		Level:     "error",
		Service:   "rampload",
		Phase:     f.Phase.String(),
		Fault:     f.Fault.String(),
		Detail:    f.Detail.String(),
		Status:    int(f.Status),
		Try:       int(f.Try),
		Final:     f.Last,
	}
	if !f.Fault.Failure() {
		line.Level = "warn"
	}
	if int(f.Target) < len(l.content) {
		line.Detail = f.Detail.Told(l.content[f.Target])
	}
	if int(f.Target) < len(l.targets) {
		line.Peer = l.targets[f.Target]
	}
	line.Message = message(f, line.Peer)
	switch {
	case f.Answer != nil && f.Answer.Why != "":
		line.Message += ": " + f.Answer.Why
	case line.Detail != "":
		line.Message += ": " + line.Detail
	}
	line.RemoteAddress, line.LocalAddress = addrPort(f.Conn.Remote), addrPort(f.Conn.Local)
	if f.Phase != attack.PhaseIdle && !f.Held { // neither is a request of the schedule
		line.TransactionID = string(l.run.AppendTransactionID(nil, f.Request))
		line.TraceID = l.run.TraceID(f.Request).String()
	}
	if c := f.Conn; c.ID != 0 || c.Remote.IsValid() {
		line.Connection = &connectionLine{Reused: c.Reused, Requests: c.Served, AgeMS: ms(c.Age), IdleMS: ms(c.Idle)}
	}
	line.OfferedRPS = l.offered(f.Due)
	j, err := json.Marshal(line)
	if err != nil { // only strings, whole numbers and finite floats
		return b
	}
	return append(append(b, j...), '\n')
}

func message(f attack.Failure, peer string) string {
	switch {
	case peer == "":
		return f.Fault.String()
	case f.Fault == attack.Status && f.Detail.Kind == attack.ContentDetail:
		return "unexpected content from " + peer
	case f.Fault == attack.Status:
		return "unexpected status from " + peer
	case f.Phase == attack.PhaseIdle:
		return "idle connection to " + peer + " was reset"
	case f.Fault == attack.Reset:
		return "connection reset by " + peer
	case f.Fault.Local():
		return "this machine could not connect to " + peer + ": " + f.Fault.String()
	}
	return f.Fault.String() + " from " + peer
}

func (l *Log) offered(due time.Duration) *float64 {
	if l.series == nil {
		return nil
	}
	if v, ok := l.series.OfferedAt(due); ok {
		return &v
	}
	return nil
}

func addrPort(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
