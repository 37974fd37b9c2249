package probe

// WrittenBy stands in the text of a line of a proxy's access log before the name of whose
// answer it is that the line tells of: a server's, which the proxy passed on, or "itself".
const WrittenBy = ", written by "

// Line is what a service wrote into a log, beside the text ([Event].Reason), the time and
// the service ([Event].Process). What it did not say is empty or 0. An event stands for
// [Event].Count lines that say the same but for numbers.
type Line struct {
	File   string // where it stands: a path, "journal", the URL of a store
	Level  string // "debug", "info", "warn", "error", "fatal"
	ID     string // of the transaction that it is about: X-Transaction-Id, or the trace id
	Peer   string // whom it names in a field of its own: "10.0.3.2:8080"
	Status uint16 // that was answered, of an access log
	Format string // "json", "nginx", "postgresql" ...
}

// NothingThere is the reason of [Answered] of a store: it has nothing under the keys that it
// was asked for.
const NothingThere = "nothing there"
