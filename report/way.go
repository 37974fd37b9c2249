package report

// Way is the way that a target's requests took, and where they stood on it while they
// failed, against the time before.
type Way struct {
	Line string `json:"line"` // "client -> nginx on lb:80 -> payments on app-1:8080 (3 of 3 instances)"
	// Text says from hop to hop where requests stood; empty where none stood anywhere.
	Text  string   `json:"text,omitempty"`
	FromS *float64 `json:"from_s"` // the time that is judged
	ToS   *float64 `json:"to_s"`
	Hops  []WayHop `json:"hops"` // outermost first; a hop that asks several is followed by each with what is behind it
}

// WayHop is one station of a way. What was not measured is null.
type WayHop struct {
	Depth     int    `json:"depth"` // 1: the client asks it
	Process   string `json:"process,omitempty"`
	Host      string `json:"host,omitempty"`
	Address   string `json:"address,omitempty"` // of one that nobody watches
	Port      int    `json:"port"`
	Failing   string `json:"failing,omitempty"` // host of the instance that the verdict names, of several
	Instances int    `json:"instances"`         // that had connections
	Known     int    `json:"known"`             // of the same service on watched hosts
	Watched   bool   `json:"watched"`
	// State is where most of its requests stood; empty where none did.
	State Stand `json:"state,omitempty"`
	// Role is what that makes of the hop.
	Role   Role      `json:"role,omitempty"`
	Now    Stood     `json:"now"`
	Before Stood     `json:"before"`
	Behind []Waiting `json:"behind,omitempty"` // requests that it had out itself
}

// Stand is where most requests of a hop stand.
type Stand string

// The places.
const (
	StandsNotAccepted Stand = "not-accepted" // in the accept queue, while everybody who could accept is busy
	StandsNoProcessor Stand = "no-processor" // ready, and without processor
	StandsOnDisk      Stand = "on-disk"
	StandsBehind      Stand = "behind"  // on an answer from the next hop
	StandsPool        Stand = "pool"    // on one of a fixed number of connections to the next hop, which are all in use
	StandsCutOff      Stand = "cut-off" // for a connection to the next hop, to which there was one and is none
	StandsNetwork     Stand = "network" // between this hop and the next
	StandsInside      Stand = "inside"  // none of these, and threads asleep
	StandsStill       Stand = "still"   // the process does not run at all
)

// Role is what a hop has to do with requests that wait.
type Role string

// The roles.
const (
	RoleVictim  Role = "victim"  // it waits for another
	RoleCulprit Role = "culprit" // the deepest that owes an answer, and waits for nobody
)

// Stood is how many requests stood at a hop, in the median over a time.
type Stood struct {
	Open        *float64 `json:"open"`         // not accepted, not read and not answered
	NotAccepted *float64 `json:"not_accepted"` // in the accept queue
	NotRead     *float64 `json:"not_read"`     // accepted, and not read
	OldestS     *float64 `json:"oldest_s"`     // the oldest that was not answered
	Processor   *float64 `json:"processor"`    // of what its busiest process may use
	NoProcessor *float64 `json:"no_processor"` // threads that were ready and had none, on average
	Throttled   *float64 `json:"throttled"`    // share of the periods of its quota
	OnDisk      *float64 `json:"on_disk"`      // threads
	Stopped     *float64 `json:"stopped"`      // threads
	Runs        *float64 `json:"runs_per_s"`   // times a second that a thread was given a processor
}

// Waiting is what a hop has out to another.
type Waiting struct {
	To          string   `json:"to"` // "db:5432"
	Requests    *float64 `json:"requests"`
	Connections *float64 `json:"connections"`
	Connecting  *float64 `json:"connecting"`
	Unread      *float64 `json:"answers_unread"`
	OldestS     *float64 `json:"oldest_s"`
}
