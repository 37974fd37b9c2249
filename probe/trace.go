package probe

// Trace is what a store of traces has of one transaction of the run: the deepest call that
// failed in it. [Event].Process is the service that says so, [Event].Reason its text; both
// are empty where no span of a service failed.
type Trace struct {
	ID       string // of the trace, 32 hex digits
	Good     bool   // the transaction went well: it was asked for to compare
	Spans    uint32 // that the store has; 0: it does not have the trace
	Services uint32 // with spans of their own, beside the run's
	From, To string // the edge: who asked, and who was asked
	Calls    bool   // the caller says so, and nothing of the one that was asked failed
	// Operation is the name of the failing span; Peer whom a caller says that it asked.
	Operation, Peer string
	Status          uint16 // of HTTP; 0: not told
}
