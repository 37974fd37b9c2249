package inquiry

// Experiment is the load of the onset once more, with one thing changed.
type Experiment string

// The experiments.
const (
	Fresh           Experiment = "fresh"            // a new connection for every request
	Kept            Experiment = "kept"             // connections are kept open between requests
	HalfConcurrency Experiment = "half-concurrency" // half as many connections, at the same rate
	HalfRate        Experiment = "half-rate"        // half the rate, over the same number of connections
	Small           Experiment = "small"            // only requests that are small, together with their responses
	Large           Experiment = "large"            // only requests that are large
	OneAddress      Experiment = "one-address"      // only the address that has most of the failures
	OtherAddresses  Experiment = "other-addresses"  // all addresses but that one
	TwoSources      Experiment = "two-sources"      // from two source addresses in turn
	GapBelow        Experiment = "gap-below"        // connections are idle for less than the suspected time
	GapAbove        Experiment = "gap-above"        // connections are idle for more than the suspected time
	AroundProxy     Experiment = "around-proxy"     // straight to the service behind the proxy
	NoRetries       Experiment = "no-retries"       // failed requests are not sent again
)

// Outcome is what an experiment did to the share of failures.
type Outcome int8

// The outcomes.
const (
	Unsure Outcome = iota // not known, or the share changed in part
	Goes                  // nearly no failure is left
	Stays                 // the share is as before
)

// String returns the outcome as reports have it.
func (o Outcome) String() string { return [...]string{"unsure", "goes", "stays"}[o] }
