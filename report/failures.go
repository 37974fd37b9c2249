package report

// FailureGroup counts the failed attempts of a target, idle resets among them, that
// are alike in all that is told here. It is made of the attempts that were kept one
// by one: where there were too many to keep, groups hold fewer than the totals.
type FailureGroup struct {
	Fault   string `json:"fault"`
	Detail  string `json:"detail,omitempty"` // what the fault's protocol said
	Phase   string `json:"phase"`
	State   string `json:"state"` // of the connection: none, fresh, reused
	Address string `json:"address,omitempty"`
	// Sender and Reason are those of the RST that ended the connection, as the kernel
	// of its sender told; empty where nobody saw it sent.
	Sender string `json:"sender,omitempty"` // host, and process where it is known: "payments-1/payments[4127]"
	Reason string `json:"reason,omitempty"`
	// IdleMS and Served are the lower ends of the steps in which the idle time before
	// the attempt (in milliseconds) and the requests served before it lie: 0, 1, 2, 5,
	// 10, 20, 50 and so on. Null on a connection that served none.
	IdleMS *float64 `json:"idle_ms"`
	Served *float64 `json:"served"`
	Count  uint64   `json:"count"`
}

// The states of the connection of a failed attempt.
const (
	ConnectionNone   = "none"
	ConnectionFresh  = "fresh"
	ConnectionReused = "reused"
)

// Heat is the latency of successful requests over time: how many ended in each
// interval and step of latency.
type Heat struct {
	IntervalMS float64 `json:"interval_ms"`
	// UpperMS are the upper ends of the steps, ascending, in milliseconds.
	UpperMS []float64 `json:"upper_ms"`
	// Counts has a row for each interval from 0 on, with a number for each step.
	Counts [][]uint64 `json:"counts"`
}
