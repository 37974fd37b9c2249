package report

// Edge is the call at which traces of failed transactions failed, the deepest of each.
type Edge struct {
	From      string `json:"from,omitempty"` // the service that asked; left out at the first
	To        string `json:"to,omitempty"`   // the one that was asked, by its name or address
	Operation string `json:"operation"`
	TraceID   string `json:"trace_id"` // of one of them
	// GoodTimes is in how many of GoodOf traces of transactions that went well the same call
	// failed in the same words.
	GoodTimes uint64 `json:"good_times"`
	GoodOf    uint64 `json:"good_of"`
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

// TraceCount is how many traces of failed transactions were asked for, and what they told.
type TraceCount struct {
	Asked           uint64 `json:"asked"`
	Found           uint64 `json:"found"`
	WithoutServices uint64 `json:"without_services"` // found, and no service has a span in them
	WithoutFailure  uint64 `json:"without_failure"`  // found, and no span of a service failed
}

// Said is what a log, or a trace, says of failed transactions of one kind: who said it, of whom, and
// of how many.
type Said struct {
	// Fault is the kind of the failed transactions, as the client saw it: "status 502",
	// "reset".
	Fault   string `json:"fault"`
	Host    string `json:"host"`           // whose log it is
	Service string `json:"service"`        // that wrote it
	Peer    string `json:"peer,omitempty"` // whom it speaks of
	// Meaning is what the words stand for, in a fixed vocabulary; empty: not known.
	Meaning string `json:"meaning,omitempty"`
	Says    string `json:"says"` // one of the lines, cleaned and cut
	File    string `json:"file,omitempty"`
	// Joined says how: "id" by the transaction's id, "time" by when the lines came, "trace"
	// by the trace that a store has of it.
	Joined string `json:"joined"`
	Edge   *Edge  `json:"edge,omitempty"` // of what a trace says
	// Times is how many of Of failed transactions it was said of; by time it is how many
	// lines there are, and failures.
	Times uint64 `json:"times"`
	Of    uint64 `json:"of"`
	Lines uint64 `json:"lines"` // that say the same, of any transaction
	// FirstS is when it was said first, FirstRPS the load then.
	FirstS   float64  `json:"first_s"`
	FirstRPS *float64 `json:"first_rps"`
}
