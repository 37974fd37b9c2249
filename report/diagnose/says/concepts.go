package says

import "strings"

// Unknown software uses other phrases, but the same words: a thing that services run short of or that
// has to be valid, and close to it what is wrong with it. "The pool of permits is depleted" and
// PermitPoolDepletedException say the same as any known phrase. Such a reading counts only where the
// text has no known phrase.

// thing is what a text says is short or wrong.
type thing uint8

const (
	noThing thing = iota
	pools
	connections
	workers
	queues
	descriptors
	ports
	memory
	disks
	rates
	certificates
	tokens
	breakers
	locks
	tables
	servers
	connects
	replies
)

// meant is what a text means that says something is wrong with a thing.
var meant = [...]coded{
	pools: {meaning: Pool}, connections: {meaning: Connections, of: Behind}, workers: {meaning: Workers}, queues: {meaning: Queue}, descriptors: {meaning: Files}, ports: {meaning: Ports}, memory: {meaning: Memory}, disks: {meaning: Disk},
	rates: {meaning: Rate}, certificates: {meaning: Certificate, of: Behind}, tokens: {meaning: Credentials}, breakers: {meaning: NoServer, of: Behind}, locks: {meaning: Locking, of: Behind}, tables: {meaning: Schema, of: Behind},
	servers: {meaning: NoServer, of: Behind}, connects: {meaning: NoConnect, of: Behind}, replies: {meaning: Slow, of: Behind},
}

var things = map[string]thing{
	"pool": pools, "acquire": pools, "acquisition": pools, "checkout": pools, "pools": pools, "bulkhead": pools, "connections": connections, "clients": connections, "sessions": connections, "threads": workers, "workers": workers, "processes": workers, "executor": workers,
	"queue": queues, "queues": queues, "mailbox": queues, "inbox": queues, "descriptors": descriptors, "fds": descriptors, "handles": descriptors, "ports": ports, "memory": memory, "heap": memory,
	"disk": disks, "volume": disks, "filesystem": disks, "quota": rates, "rate": rates, "certificate": certificates, "cert": certificates, "token": tokens, "jwt": tokens, "credentials": tokens, "password": tokens, "apikey": tokens,
	"breaker": breakers, "circuit": breakers, "lock": locks, "mutex": locks, "table": tables, "column": tables, "relation": tables,
	"hosts": servers, "servers": servers, "nodes": servers, "brokers": servers, "backends": servers, "endpoints": servers, "upstreams": servers, "instances": servers, "replicas": servers, "leader": servers, "primary": servers, "quorum": servers,
	"connect": connects, "connecting": connects, "dial": connects, "handshake": connects, "response": replies, "reply": replies, "answer": replies, "operation": replies, "call": replies, "rpc": replies, "execution": replies, "reading": replies, "query": replies,
}

// trouble says what is wrong, as a bit set. One word or a pair of words adds a bit; some troubles are
// complete only with two bits, such as bound with reached.
type trouble uint16

const (
	usedUp  trouble = 1 << iota // "exhausted": nothing is left
	over                        // "exceeded": above a bound, or the thing is above its bound
	bound                       // "limit", "max"
	reached                     // "reached", of a bound
	full                        // "full", which says something only behind its thing
	open                        // "open", of a circuit breaker
	bad                         // "expired", "invalid"
	timeout                     // "timeout": the wait was in vain
	missing                     // "missing", "unknown"
	left                        // "available", "free", which say something only after "no"
	no
	denied  // "not": the text says the opposite
	perhaps // "if": the text states a condition
)

var troubles = map[string]trouble{
	"exhausted": usedUp, "exhaustion": usedUp, "depleted": usedUp, "starved": usedUp, "starvation": usedUp, "saturated": usedUp, "insufficient": usedUp, "exceeded": over, "overflow": usedUp, "overflowed": usedUp, "overrun": usedUp,
	"limit": bound, "max": bound, "maximum": bound, "capacity": bound, "reached": reached, "hit": reached, "full": full, "empty": full, "open": open, "opened": open, "tripped": open, "expired": bad, "revoked": bad, "invalid": bad, "untrusted": bad, "wrong": bad, "rejected": bad,
	"timeout": timeout, "missing": missing, "unknown": missing, "left": left, "available": left, "free": left, "remaining": left, "no": no, "none": no, "unavailable": no | left, "healthy": left, "alive": left, "live": left, "elected": left, "found": left, "not": denied, "never": denied, "if": perhaps, "when": perhaps, "until": perhaps, "without": perhaps, "avoid": perhaps, "unless": perhaps, "before": perhaps, "prevent": perhaps,
}

// pairs are troubles that two words in a row make.
var pairs = map[[2]string]trouble{
	{"too", "many"}: usedUp, {"too", "long"}: full, {"not", "enough"}: usedUp, {"ran", "out"}: usedUp, {"run", "out"}: usedUp, {"running", "out"}: usedUp, {"out", "of"}: usedUp, {"used", "up"}: usedUp, {"timed", "out"}: timeout, {"time", "out"}: timeout, {"not", "available"}: no | left,
	{"not", "found"}: missing, {"not", "exist"}: missing, {"not", "trusted"}: bad, {"not", "valid"}: bad, {"not", "accepted"}: bad,
}

// apart is how many words back the other half of a statement may be.
const apart = 4

// concepts looks for a thing and a trouble close together in a text. low is the text in lower case.
func concepts(text, low string) hit {
	type seen struct {
		word string
		trouble
		thing
		from, to int
	}
	var last [apart + 1]seen // the words before this one, the nearest first
	name := 0                // where the name begins that this word is a part of, as in PoolTimeoutError
	for i := 0; i < len(low); {
		if !letterByte(low[i]) {
			if end := low[i]; end == ';' || end == '\n' || end == '/' || end == '.' && i+1 < len(low) && low[i+1] == ' ' {
				last = [apart + 1]seen{} // a new clause, or part of a path
			}
			i++
			continue
		}
		w := seen{from: i}
		for i++; i < len(low) && letterByte(low[i]) && (text[i] == low[i] || text[i-1] != low[i-1]); i++ {
		}
		w.to = i
		w.word = low[w.from:w.to]
		if set(low, w.from, w.to) {
			last = [apart + 1]seen{}
			continue
		}
		if w.from == 0 || !letterByte(low[w.from-1]) {
			name = w.from
		}
		w.thing, w.trouble = things[w.word], troubles[w.word]
		switch {
		case w.trouble == full && w.from > 1 && strings.IndexByte(low[max(0, w.from-2):w.from], '%') >= 0,
			w.word == "missing" && w.to+1 < len(low) && low[w.to] == ' ' && letterByte(low[w.to+1]):
			w.trouble = 0 // "80% full" is not full; "missing X" lacks X and not the thing before
		}
		if w.trouble == timeout && (name == w.from || text[name] == low[name]) {
			w.trouble = 0 // a plain "timeout" may be a setting; in a name such as PoolTimeoutError it is the trouble
		}
		if p, ok := pairs[[2]string{last[0].word, w.word}]; ok {
			w.trouble = p
			last[0].trouble = 0
			if w.word == "of" && numberBefore(low, last[0].from) {
				w.trouble = 0 // "3 out of 5"
			}
		}
		switch {
		case w.thing == rates && quantities[last[0].word]:
			w.thing = noThing // "error rate" is no rate limit
		case w.trouble == open && last[0].word == "from":
			w.trouble = 0 // "from open": the breaker left that state
		}
		if (last[0].trouble|last[1].trouble)&denied != 0 && w.trouble&denied == 0 {
			w.trouble = 0
		}
		if w.thing != noThing || w.trouble != 0 {
			t, wrong, negated := w.thing, w.trouble, false
			behind := w.thing == noThing // the trouble comes behind its thing
			for _, b := range last {
				negated = negated || b.trouble&perhaps != 0
				if t == noThing {
					t = b.thing
				}
				wrong |= b.trouble
			}
			if t != noThing && !negated && wrongWith(t, wrong, behind) {
				c := meant[t]
				return hit{coded: c, phrase: low[w.from:w.to], rank: weakRank - 1, end: w.to}
			}
		}
		copy(last[1:], last[:apart])
		last[0] = w
	}
	return hit{rank: noRank}
}

// wrongWith reports whether the troubles found near a thing apply to it. behind says that the last
// word was the trouble and not the thing.
func wrongWith(t thing, wrong trouble, behind bool) bool {
	short := wrong&usedUp != 0 || wrong&(bound|over) == bound|over || wrong&(bound|reached) == bound|reached || wrong&(no|left) == no|left
	switch t {
	case pools:
		return short || wrong&(timeout|over) != 0 || wrong&full != 0 && behind
	case queues:
		return short && wrong&left == 0 || wrong&full != 0 && behind
	case connections, workers, descriptors, ports:
		return short
	case memory:
		return short || wrong&over != 0
	case disks:
		return wrong&usedUp != 0 || wrong&full != 0 && behind || wrong&over != 0
	case rates:
		return wrong&(usedUp|over) != 0 || wrong&(bound|reached) == bound|reached
	case certificates:
		return wrong&(bad|missing) != 0
	case tokens:
		return wrong&(bad|missing) != 0
	case breakers:
		return wrong&open != 0
	case locks:
		return wrong&timeout != 0
	case servers:
		return wrong&(no|left) == no|left
	case connects, replies:
		return wrong&timeout != 0
	case tables:
		return wrong&missing != 0
	}
	return false
}

// quantities are words before "rate" that make it a measurement and not a limit.
var quantities = map[string]bool{"error": true, "errors": true, "failure": true, "failures": true, "loss": true, "hit": true, "miss": true, "success": true, "sample": true, "sampling": true, "call": true, "slow": true}

// numberBefore reports whether a number stands before an offset of a text, but for blanks.
func numberBefore(low string, at int) bool {
	for at--; at >= 0 && low[at] == ' '; at-- {
	}
	return at >= 0 && low[at] >= '0' && low[at] <= '9'
}

// set reports whether a word is the end of the name of a setting or counter: "pool_timeout = 30".
func set(low string, from, to int) bool {
	i := to
	for i < len(low) && (low[i] == ' ' || low[i] == '"' || low[i] == '\'') {
		i++
	}
	if i < len(low) && low[i] == '=' {
		return i+1 >= len(low) || low[i+1] != '='
	}
	for i < len(low) && (low[i] == ':' || low[i] == ' ' || low[i] == '"') {
		i++
	}
	return i < len(low) && low[i] >= '0' && low[i] <= '9' && from > 0 && low[from-1] == '_'
}

func letterByte(c byte) bool { return c >= 'a' && c <= 'z' }
