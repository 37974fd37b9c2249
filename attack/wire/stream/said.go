package stream

import (
	"bytes"

	"github.com/rampload/rampload/attack"
)

// words are what servers say of themselves before they give a connection up, in lower
// case, and what it means. The first that is found counts.
func words() []struct {
	text string
	code uint16
} {
	return []struct {
		text string
		code uint16
	}{
		{"max number of clients", attack.ServerTooManyClients},        // Redis, Valkey
		{"maximum connections exceeded", attack.ServerTooManyClients}, // NATS
		{"maximum account active connections", attack.ServerTooManyClients},
		{"too many open connections", attack.ServerTooManyClients}, // memcached
		{"too many connections", attack.ServerTooManyClients},      // MySQL, SMTP
		{"too many clients", attack.ServerTooManyClients},          // PostgreSQL
		{"too many concurrent", attack.ServerTooManyClients},       // SMTP, FTP
		{"connection limit", attack.ServerTooManyClients},
		{"slow consumer", attack.ServerSlowConsumer}, // NATS
		{"out of memory", attack.ServerOutOfMemory},  // memcached
		{"oom command not allowed", attack.ServerOutOfMemory},
		{"loading the dataset", attack.ServerStartingUp},
		{"starting up", attack.ServerStartingUp},
		{"shutting down", attack.ServerShuttingDown},
		{"shutdown in progress", attack.ServerShuttingDown},
		{"authorization violation", attack.ServerAuthentication}, // NATS
		{"authentication required", attack.ServerAuthentication},
		{"authentication failed", attack.ServerAuthentication},
		{"noauth ", attack.ServerAuthentication}, // Redis
		{"wrongpass ", attack.ServerAuthentication},
		{"readonly ", attack.ServerReadOnly},
	}
}

// mostSaid bounds how much of an answer is searched for words.
const mostSaid = 512

// Said returns what a server says in an answer that was not expected, as far as it is
// known; the zero Detail if it is not. It looks at the first words only.
func Said(answer []byte) attack.Detail {
	if len(answer) == 0 {
		return attack.Detail{}
	}
	lower := bytes.ToLower(answer[:min(len(answer), mostSaid)])
	for _, w := range words() {
		if bytes.Contains(lower, []byte(w.text)) {
			return attack.Detail{Kind: attack.ServerDetail, Code: w.code}
		}
	}
	return attack.Detail{}
}
