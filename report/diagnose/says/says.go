// Package says reads what software says when something is short, broken or refused, in answers to
// failed requests and in log lines. It knows the wordings of servers, databases, proxies, runtimes
// and client libraries, and turns each into one of a few meanings. It knows no run and no cause.
package says

import "strings"

// Meaning is what a text says, whatever its wording.
type Meaning uint8

// The meanings.
const (
	None Meaning = iota

	// Something is full.
	Connections // a service accepts no more connections
	Pool        // a pool of connections or permits is exhausted
	Slots       // the writer has no slot for another connection
	Workers     // no worker, thread or process is free
	Queue       // the queue before the next hop is full, or a request waited in it too long
	Files       // no file descriptor is left
	Ports       // no local port is left
	Memory      // no memory is left
	Store       // a store has reached its memory limit
	Disk        // no room on a disk is left
	FileAccess  // the file system refuses access: no permission, read-only, a device error
	Identifiers // the type of a sequence or column holds no higher number
	Tracking    // the connection tracking table is full
	Backlog     // an accept queue is full

	// Something is away or broken.
	Refused    // nothing listens at the address
	NoServer   // a proxy knows no server that is up
	Withheld   // a peer that failed a moment ago is not tried again yet
	Reset      // a connection was reset
	Closed     // a connection was closed before the answer
	Slow       // an answer did not come in time
	NoConnect  // a connection did not come up in time
	NoRoute    // there is no route to the address
	Name       // a name was not found
	Starting   // the service is starting, stopping or loading, and answers nothing yet
	Short      // an answer is shorter than it announced
	BadAnswer  // an answer was not accepted: its header is too large, or it is not of the protocol
	Late       // a store is busy with one command, or gave one up that took too long
	SlowReader // a broker or store gave up a client that reads too slowly

	// Something is refused.
	Rate        // a rate is exceeded
	Credentials // credentials are missing, wrong or expired
	Forbidden   // the user lacks the right
	Certificate // a certificate is not accepted, or none was sent
	Mismatch    // the two ends have no TLS version, cipher or protocol in common
	Large       // the request is too large
	ReadOnly    // the store is read-only: a replica, or writes were stopped

	// Something is wrong in the code or in the data.
	Locking   // transactions waited for each other, or too long for a lock
	Schema    // a table, column or type is not as expected
	Exception // code failed: a panic, a stack trace, an uncaught exception

	// A process ended.
	Killed  // a worker was killed because it did not answer
	Crashed // a process crashed

	Meanings // the number of meanings
)

// Of says which party a text is about.
type Of uint8

// The parties.
const (
	Writer Of = iota // the one that wrote the text
	Behind           // the one that the writer asks
)

// Statement is what a text says, and about whom.
type Statement struct {
	Meaning Meaning
	Of      Of
	Phrase  string // the words that say so, in lower case
	Peer    Peer   // the other end that the text names; zero: none
}

// maxRead is how much of a text is read, in bytes.
const maxRead = 4096

// Read returns what a text says. Of several statements it returns the one that says most precisely
// what is wrong: "too many clients" rather than "connection failed". ok is false where the text has
// no known wording. It is safe for concurrent use.
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

// inner returns the reason that an error gives behind an offset, by wrapping another error. A pool
// that could not open a connection is not full: the wrapped error says that nothing listens, or that
// a name is unknown. A wrapped timeout is no reason, as it only repeats that the wait was in vain.
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

// lower returns a text with its ASCII letters in lower case, so that all offsets stay the same.
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

// Own reports whether a statement about the service behind the writer, as a client would write it, is
// about the writer itself where a service writes it into its own log.
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

// String returns the name of a meaning in reports.
func (m Meaning) String() string {
	if m < Meanings {
		return names[m]
	}
	return names[None]
}
