package inquiry

// Experiment is a load at the onset once more with one thing changed.
type Experiment string

// The experiments.
const (
	Fresh           Experiment = "fresh"            // a new connection for every request
	Kept            Experiment = "kept"             // connections are kept
	HalfConcurrency Experiment = "half-concurrency" // half as many connections, at the same rate
	HalfRate        Experiment = "half-rate"        // half the rate, over the same number of connections
	Small           Experiment = "small"            // only the requests that are small, with their answer
	Large           Experiment = "large"            // only those that are large
	OneAddress      Experiment = "one-address"      // only the address that has most of the failures
	OtherAddresses  Experiment = "other-addresses"  // only the others
	TwoSources      Experiment = "two-sources"      // from two source addresses in turn
	GapBelow        Experiment = "gap-below"        // connections rest for less than the suspected time
	GapAbove        Experiment = "gap-above"        // and for more
	AroundProxy     Experiment = "around-proxy"     // straight to the service behind it
	NoRetries       Experiment = "no-retries"
)

// Outcome is what an experiment makes of the share of failures.
type Outcome int8

// The outcomes.
const (
	Unsure Outcome = iota // nobody knows, or it changed in part
	Goes                  // failures all but end
	Stays                 // they go on as before
)

// String returns the outcome as reports have it.
func (o Outcome) String() string { return [...]string{"unsure", "goes", "stays"}[o] }
