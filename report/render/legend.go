package render

// Meaning is what a column of the tables shows.
type Meaning struct{ Table, Column, Text string }

// Legend explains every column of the tables that [Table] prints.
func Legend() []Meaning {
	return []Meaning{
		{"targets", "REQUESTS", "requests that ended, well or in a fault of the target; of connections to be held, each try that came to nothing (refused, timed out, ended by the peer before a request used it) is one, beside those of the schedule"},
		{"targets", "FAILED, %", "requests that ended in a fault of the target, after the profile's retries; and their share"},
		{"targets", "RESET", "connections on which a RST was seen, each once, idle ones too"},
		{"targets", "EOF, REFUSED, TIMEOUT, ...", "attempts that ended in that fault"},
		{"targets", "ATTEMPTS", "tries on the wire; shown where the profile retries"},
		{"targets", "UNSENT", "requests that were due and not sent: more than max-in-flight were waiting, or the run was stopped"},
		{"targets", "LOCAL", "attempts that failed on this machine (ports, open files, buffers); they are not held against the target"},
		{"targets", "P50, P99, MAX", "latency of successful requests, from the moment at which they were due"},
		{"targets", "SENT/S", "most requests sent in one second"},
		{"search", "LOAD, RESULT", "each load of the search; repeated where a result needed it; limited: by this machine"},
		{"search", "REQUESTS, FAILED, RESET, P99", "what was due while the load was held, and how it ended; P99 of the steps with that result"},
		{"search", "WHY", "the numbers behind the result"},
		{"idle", "TARGET, IDLE FOR", "a connection that was to be held without a request for so long"},
		{"idle", "END, AFTER", "how it ended, and when; alive: it still served a request"},
		{"faults by phase", "DNS ... IDLE", "attempts that ended in the fault, by where they were; IDLE counts pooled connections"},
		{"details", "DETAIL", "what the protocol said of the fault: why a certificate was refused, a TLS alert, an HTTP/2 code, how a look-up ended, which part of a response was malformed, a gRPC status"},
		{"answers", "STATUS, BY, SAYS", "what failed requests were answered: by whom, as the answer's Server or Via names it, and the first of its words; the same words once"},
		{"answers", "READ", "how many answers with these words were read, of those that were kept"},
		{"who said what", "WHO, OF WHOM", "which service wrote it into its log, on which host, and whom it names; \"(trace)\": at which call traces of failed requests failed, the deepest of each"},
		{"who said what", "FAILED, SAYS", "of how many failed requests, of those that were kept, a log says so, joined by their ids, or of how many whose traces were found, and of how many good ones; \"by time\": lines without an id that came while requests failed; one of the lines"},
		{"who said what", "FIRST", "the offered load when it was said first"},
		{"requests", "REQUEST", "shown where a target has several and any failed"},
		{"requests", "SENT, RECEIVED", "mean bytes of an attempt, headers included, and of the body of a success"},
		{"addresses", "ADDRESS", "remote address; shown where a target has several and any failed"},
		{"onset", "FAULT", "what rises: (passing) did not last, (periodic) comes in bursts at regular intervals; passes 0.1%: the share of failed requests passes that of the gate, else 0.1%"},
		{"onset", "ONSET", "offered load of all targets from which the fault rises and stays, or failures pass a share; \"none\", \"from start\", \"with time\" (at a constant load)"},
		{"onset", "95% INTERVAL", "where the onset lies with 95% confidence, in requests per second, held connections, or (with time) seconds"},
		{"onset", "AT", "when, since the load began"},
		{"onset", "BEFORE, AFTER", "share of requests with the fault before and after; with no onset, the share that it is below (95%)"},
		{"where requests stood", "HOP", "a service on the way of the requests, behind the one that asks it; an address where nobody watches"},
		{"where requests stood", "OPEN, BEFORE", "requests not answered while they failed, and in the time before (medians)"},
		{"where requests stood", "NOT ACCEPTED, NOT READ", "of those, the ones that the process had not accepted, or accepted and not read"},
		{"where requests stood", "OLDEST", "how long the oldest had waited"},
		{"where requests stood", "CPU", "processor of the busiest process of the hop, of what it may use"},
		{"where requests stood", "WAIT FOR", "whom most of them were out to, and how many"},
		{"where requests stood", "STAND", "waits: on an answer from the next hop, whose victim it is; else what the deepest hop lacks: inside (asleep in itself), all busy, pool full, no processor, on disk, stands still, on the way on"},
		{"saturation", "RESOURCE, ON", "what has a limit, and the process or host that has it; \"local\" is this machine"},
		{"saturation", "PEAK, LIMIT, USED", "the highest reading, the limit, and their ratio"},
		{"saturation", "FULL AT, LOAD", "when the limit was reached and the offered load then"},
		{"saturation", "LAG", "from there to the first faults: +0.2 s means that it was full 0.2 s before they came; AT of the onset is when their requests were due"},
		{"saturation", "VERDICT", "cause, candidate, ruled out, always full, or from start (for a counter): it cannot tell loads apart; headroom"},
		{"gates", "RESULT", "PASS: proven to hold; FAIL: proven not to; UNDECIDED: the data cannot tell"},
		{"gates", "VALUE, WHY", "what was measured, and the numbers behind the result"},
	}
}
