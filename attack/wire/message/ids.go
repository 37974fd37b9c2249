package message

import (
	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/profiles"
)

// IDs is where in encoded header fields the ids of an attempt are. They are of fixed
// length and written over in place; 0: not among these fields.
type IDs struct{ transaction, trace, b3 int }

// OwnIDs are the fields with ids, for no attempt yet.
func OwnIDs(to wire.Target) Fields {
	own := Fields{
		{Name: TransactionHeader, Value: string(to.RunID.AppendTransactionID(nil, 0))},
		{Name: TraceHeader, Value: string(to.RunID.AppendTraceParent(nil, 0, 0, false))},
	}
	if to.Tracing.B3 {
		own = append(own, profiles.Header{Name: B3Header, Value: string(to.RunID.AppendB3(nil, 0, 0, false))})
	}
	return own
}

// IsID reports whether a field of rampload's own holds an id.
func IsID(name string) bool {
	return name == TransactionHeader || name == TraceHeader || name == B3Header
}

// Note notes where the value of a field begins; that of any other field is none of its
// business.
func (i *IDs) Note(name string, at int) {
	switch name {
	case TransactionHeader:
		i.transaction = at
	case TraceHeader:
		i.trace = at
	case B3Header:
		i.b3 = at
	}
}

// Patch writes the ids of an attempt over those in b.
func (i IDs) Patch(b []byte, run attack.RunID, t attack.Tracing, a *attack.Attempt) {
	if i.transaction > 0 {
		run.AppendTransactionID(b[i.transaction:i.transaction], a.Request)
	}
	if i.trace > 0 {
		run.AppendTraceParent(b[i.trace:i.trace], a.Request, a.Try, t.Samples(run, a.Request))
	}
	if i.b3 > 0 {
		run.AppendB3(b[i.b3:i.b3], a.Request, a.Try, t.Samples(run, a.Request))
	}
}
