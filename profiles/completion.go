package profiles

import (
	"slices"
	"time"
)

// Completion says how it is learnt that a target has done what it accepted: it answers
// at once, as with 202, and works later. The zero value: nobody waits for more than the
// answer.
type Completion struct {
	Via      CompletionVia
	Accepted StatusSet // answers that something follows
	Extract  []Extract // of such an answer; a poll's path has them as ${accepted.NAME}
	Poll     Poll
	Callback Callback
	Topic    Topic
	Done     Check         // what says that it is done; zero: any answer of success but 202, any callback, any message
	Failed   Check         // what says that it came to nothing; zero: nothing does
	Timeout  time.Duration // from the answer on; what is not done then is lost
	Drain    time.Duration // how long is waited after the last request
}

// CompletionVia is who tells of a completion.
type CompletionVia string

// Who tells.
const (
	ViaPoll     CompletionVia = "poll"     // the target is asked
	ViaCallback CompletionVia = "callback" // it calls
	ViaNATS     CompletionVia = "nats"     // a message on a subject
)

// Poll asks the target for the state of one transaction.
type Poll struct {
	Path    string // with ${accepted.NAME}; empty: that of the answer's Location
	URL     string // base; empty: the target's
	Headers []Header
	Every   time.Duration // between two polls of a transaction
	AtMost  float64       // polls per second of all transactions
}

// Callback is where the target calls. A request says so with ${callback.url}.
type Callback struct {
	Listen string // host:port; port 0: any
	URL    string // base by which the target reaches it; empty: http:// and the address
}

// Topic is where messages tell of completions.
type Topic struct {
	URL     string
	Subject string
	Creds   string // file with credentials
	CA      string // file with the certificates to trust
	// ID is where a message has the id of its transaction: the value accepted.id where
	// the answer's is extracted, else its transaction id. Zero: the header
	// X-Transaction-Id.
	ID Extract
}

// What a completion has that does not say it.
const (
	defaultCompletionTimeout = 30 * time.Second
	defaultPollEvery         = time.Second
	defaultPollRate          = 200
	drainSlack               = 5 * time.Second
)

// AcceptedID is the name of the extracted value by which messages are matched.
const AcceptedID = "id"

// Given reports whether a completion is waited for.
func (c Completion) Given() bool { return c.Via != "" }

func (c Completion) withDefaults() Completion {
	if !c.Given() {
		return c
	}
	if c.Accepted == nil {
		c.Accepted = StatusSet{{202, 202}}
	}
	if c.Timeout == 0 {
		c.Timeout = defaultCompletionTimeout
	}
	if c.Drain == 0 {
		c.Drain = c.Timeout + drainSlack
	}
	if c.Via == ViaPoll && c.Poll.Every == 0 {
		c.Poll.Every = defaultPollEvery
	}
	if c.Via == ViaPoll && c.Poll.AtMost == 0 {
		c.Poll.AtMost = defaultPollRate
	}
	return c
}

func (c Completion) clone() Completion {
	c.Accepted, c.Extract, c.Poll.Headers = slices.Clone(c.Accepted), slices.Clone(c.Extract), slices.Clone(c.Poll.Headers)
	for _, check := range []*Check{&c.Done, &c.Failed} {
		check.Status, check.JSON, check.Headers = slices.Clone(check.Status), slices.Clone(check.JSON), slices.Clone(check.Headers)
	}
	return c
}
