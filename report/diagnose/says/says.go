// Package says reads what software says when something is short, broken or refused: in
// the answers to failed requests and in log lines. The wordings are those of servers,
// databases, proxies, runtimes and client libraries; what they mean is the same whoever
// chose them. It knows no run and no cause.
package says

import "strings"

// Meaning is what a text says.
type Meaning uint8

// The meanings.
const (
	None Meaning = iota

	// Something is full.
	Connections // a service takes no more connections
	Pool        // a pool of connections or permits has no place left
	Slots       // the writer has no slot for one more connection
	Workers     // no worker, thread or process is free
	Queue       // a queue before what stands behind is full, or it was waited in for too long
	Files       // no file descriptor is left
	Ports       // no local port is left
	Memory      // no memory is left
	Store       // a store has reached the memory that it may use
	Disk        // no room on a disk is left
	FileAccess  // the file system refuses it: no right, read-only, an error of the device
	Identifiers // a sequence or column holds no higher number
	Tracking    // the table of tracked connections is full
	Backlog     // the queue of connections that nobody accepted is full

	// Something is away or broken.
	Refused    // nobody listens
	NoServer   // a proxy knows no server that is up
	Withheld   // what failed a moment ago is not tried again yet
	Reset      // a connection was reset
	Closed     // a connection was closed before the answer
	Slow       // an answer did not come in time
	NoConnect  // a connection did not come up in time
	NoRoute    // there is no way to the address
	Name       // a name was not found
	Starting   // it is starting, stopping or loading, and answers nothing yet
	Short      // the answer is shorter than it announced
	BadAnswer  // an answer was not taken: too large a header, or none of the protocol
	Late       // a store is busy with one command, or gave up one that took too long
	SlowReader // a broker or store gave up a client that reads too slowly

	// Something is refused.
	Rate        // a rate is exceeded
	Credentials // credentials are missing, wrong or expired
	Forbidden   // the right to do it is missing
	Certificate // a certificate is not accepted, or none was shown
	Mismatch    // two ends have no version, cipher or protocol of TLS in common
	Large       // the request is too large
	ReadOnly    // it may not be written to: a replica, or writing was stopped

	// Something is wrong in the code or in the data.
	Locking   // transactions waited for each other, or too long for a lock
	Schema    // a table, column or type is not as expected
	Exception // code failed: a panic, a stack trace, an exception that nobody caught

	// Somebody ended.
	Killed  // a worker was ended because it did not answer
	Crashed // a process ended by a fault

	Meanings // the number of meanings
)

// Of says of whom a text speaks.
type Of uint8

// The parties.
const (
	Writer Of = iota // of whoever wrote it
	Behind           // of whoever the writer asks
)

// Statement is what a text says.
type Statement struct {
	Meaning Meaning
	Of      Of
	Phrase  string // the words that say so, in lower case
	Peer    Peer   // whom it names, the zero value if nobody
}

// maxRead bounds what is read of a text, in bytes.
const maxRead = 4096

// Read returns the most telling statement of a text: of several the one that says most
// precisely what is wrong ("too many clients" rather than "connection failed"). ok is
// false where no wording is known.
func Read(text string) (s Statement, ok bool) {
	if len(text) > maxRead {
		text = text[:maxRead]
	}
	low := lower(text)
	x := theIndex()
	best := x.find(text, low, nil)
	if best.rank == noRank {
		return Statement{}, false
	}
	if best.meaning == Pool || best.meaning == Workers {
		if why := x.inner(text, low, best.end); why.rank != noRank {
			best = why
		}
	}
	return Statement{Meaning: best.meaning, Of: best.of, Phrase: best.phrase, Peer: PeerOf(text)}, true
}

// inner returns what an error that wraps others gives as its reason. Who waited for a place
// of a pool, and says that none could be made, lacks no place: nobody listens, or a name is
// not known. That time was over says the same as the waiting.
func (x *index) inner(text, low string, from int) hit {
	begin := strings.LastIndex(low[from:], "caused by")
	want := Meaning.Reason
	if begin >= 0 {
		want = func(m Meaning) bool { return m.Reason() || m == NoConnect || m == Starting }
	} else if begin = strings.Index(low[from:], ": "); begin < 0 {
		return hit{rank: noRank}
	}
	return x.find(text[from+begin:], low[from+begin:], want)
}

// Reason reports whether a meaning says why a connection or a session could not be made.
func (m Meaning) Reason() bool {
	switch m {
	case Refused, NoRoute, Name, Certificate, Mismatch, Files, Ports, Disk, Memory, Credentials, Connections:
		return true
	}
	return false
}

// lower returns a text with small letters for those of ASCII: all positions stay.
func lower(text string) string {
	at := strings.IndexFunc(text, func(r rune) bool { return r >= 'A' && r <= 'Z' })
	if at < 0 {
		return text
	}
	b := []byte(text)
	for i := at; i < len(b); i++ {
		if b[i] >= 'A' && b[i] <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}

// Own reports whether a text that speaks of somebody behind its writer, as clients of a
// service would write it, speaks of the writer itself where the service writes it into
// its own log.
func (m Meaning) Own() bool {
	switch m {
	case Connections, Store, Disk, Identifiers, ReadOnly, Locking, Schema, Starting, Credentials, Forbidden, Late, SlowReader:
		return true
	}
	return false
}

var names = [Meanings]string{
	None: "nothing known", Connections: "connections-full", Pool: "pool-full", Slots: "slots-full", Workers: "workers-busy", Queue: "queue-full", Files: "files-full",
	Ports: "ports-full", Memory: "memory-full", Store: "store-full", Disk: "disk-full", FileAccess: "file-access", Identifiers: "identifiers-used-up", Tracking: "connection-tracking-full", Backlog: "backlog-full",
	Refused: "refused", NoServer: "no-server", Withheld: "not-tried-again", Reset: "reset", Closed: "closed-early", Slow: "no-answer-in-time", NoConnect: "no-connection-in-time", NoRoute: "no-route",
	Name: "unknown-name", Starting: "starting", Short: "short-answer", BadAnswer: "answer-not-taken", Late: "command-too-long", SlowReader: "slow-reader", Rate: "rate-exceeded", Credentials: "credentials", Forbidden: "forbidden", Certificate: "certificate", Mismatch: "tls-mismatch",
	Large: "too-large", ReadOnly: "read-only", Locking: "locks", Schema: "schema", Exception: "exception", Killed: "worker-killed", Crashed: "crashed",
}

// String returns a short name of a meaning, as reports hold it.
func (m Meaning) String() string {
	if m < Meanings {
		return names[m]
	}
	return names[None]
}
