package report

// Said is what a log says of failed transactions of one kind: who said it, of whom, and
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
	// Joined says how: "id" by the transaction's id, "time" by when the lines came.
	Joined string `json:"joined"`
	// Times is how many of Of failed transactions it was said of; by time it is how many
	// lines there are, and failures.
	Times uint64 `json:"times"`
	Of    uint64 `json:"of"`
	Lines uint64 `json:"lines"` // that say the same, of any transaction
	// FirstS is when it was said first, FirstRPS the load then.
	FirstS   float64  `json:"first_s"`
	FirstRPS *float64 `json:"first_rps"`
}
