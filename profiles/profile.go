// Package profiles holds what a user asks rampload to do: targets, load
// stages, client behaviour, hosts to watch and gates to hold. It is the
// vocabulary that every other package shares; it reads no files and knows no
// encoding (see profiles/yaml), and beside the standard library it imports only
// profiles/spelling, which reads and writes values as people spell them.
//
// Rates are requests per second, shares and ratios are in [0,1], durations are
// [time.Duration]. A Profile is plain data: copy it freely, share it between
// goroutines as long as nobody writes.
package profiles

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Profile is one load test: who is loaded, how hard, how the client behaves,
// which hosts are watched and what must hold.
type Profile struct {
	Name    string
	Targets []Target
	Data    []Table // that requests are filled with
	// Journeys are what virtual users do, beside the targets. Each of their steps is one
	// of Targets too, once [Profile.WithDefaults] has made them.
	Journeys []Journey
	Load     Load // total over all targets, in order
	Client   Client
	Hosts    []Host // the generator ("local") is watched whether named or not
	Gate     []Gate // must hold at the end
	AbortIf  []Gate // ends the run as soon as one holds; nil means the default, see WithDefaults
	Fleet    Fleet
	Export   Export   // where its numbers go while it goes on
	Notify   []Notice // who is told that a gate or an abort condition is met
	Traces   Traces
	Secrets  Secrets // values that no output may show, see Redactor
}

// Target is one service under test.
type Target struct {
	Name string
	URL  string // base URL, of one of [Schemes]
	// ConnectTo is the host:port that connections go to instead of that of the URL,
	// which still names the Host header and the TLS server; empty: the URL's.
	ConnectTo  string
	ServerName string   // TLS name to ask for and to check; empty: the client's, else the URL's
	Hosts      []string // names of watched hosts that serve it, outermost first
	Share      float64  // of the total rate, in (0,1]; all shares add up to 1
	Requests   []Request
	OnConnect  []Turn     // of tcp, tls, ws and wss: what comes first on each new connection
	File       string     // targets in vegeta's HTTP or JSON format, instead of URL and Requests
	Read       []Base     // what File holds, once profiles/importer has read it; see [Target.Bases]
	Expect     StatusSet  // statuses that count as success: of HTTP, or of gRPC
	WebSocket  WebSocket  // of a target that speaks it
	GRPC       GRPC       // of a target that speaks it
	Journey    int        // number of the journey that it is a step of, from 1; 0: none
	Completion Completion // of what it accepts and does later
	Step       int        // of the journey, from 0. Only the first has a share of the load
}

// Request is one weighted request of a target.
type Request struct {
	Method   string
	Path     string // path and query below the target's URL
	Headers  []Header
	Body     string  // literal body
	BodyFile string  // body read from a file, once, at start
	Call     *Call   // of gRPC: Path is /package.Service/Method and Headers are its metadata; nil: HTTP
	Filled   bool    // Path, Body, messages and the values of Headers and Parts are in the language of profiles/data: ${users.id}
	Template bool    // Body is a template: {{.N}} request number, {{.ID}} transaction id, {{.Now}} RFC 3339 time
	Parts    []Part  // multipart/form-data, instead of a body
	Chunked  bool    // send the body with chunked transfer encoding
	Cookies  bool    // a step of a journey: it carries the cookies of its user
	Name     string  // how reports call it; empty: by what it asks for
	Command  string  // of what speaks no HTTP: a Redis command, an SQL statement, a WebSocket message
	Script   []Turn  // of tcp, tls, ws and wss, in the place of everything else
	Weight   float64 // relative to the target's other requests, > 0
}

// Call is what a request of a gRPC target says beside its method and metadata.
type Call struct {
	Messages []string      // as JSON, in the order in which they are sent; none: for most methods, an empty one
	Every    time.Duration // between two messages
	Take     int           // messages of the answer after which the call is given up; 0: all
	Deadline time.Duration // of the call, told to the server; 0: the client's timeout
}

// WebSocket is how a WebSocket target is spoken to.
type WebSocket struct {
	Headers      []Header      // of the opening handshake
	Subprotocols []string      // offered, the best first
	FirstMessage time.Duration // in which a message has to come on each new connection, as [RoleFirst]; 0: none is awaited
	KeepAlive    time.Duration // a connection on which nothing came for so long is pinged, as [RolePing]; 0: none is
}

// GRPC is how a gRPC target is spoken to.
type GRPC struct {
	Protos     []string      // .proto files; none: the target is asked, by reflection
	ProtoPaths []string      // folders that their imports are below
	KeepAlive  time.Duration // a connection with calls that is silent for so long is pinged; 0: none is
	Schema     []byte        // an encoded FileDescriptorSet, once profiles/schema has compiled it, or the target told it
}

// Part is one part of a multipart/form-data body.
type Part struct {
	Name  string
	Value string // or
	File  string // read once, at start; its base name goes with it
	Type  string // media type; empty: none, for a file application/octet-stream
}

// Header is one request header in the order written.
type Header struct{ Name, Value string }

// StatusSet is a set of HTTP statuses as inclusive ranges.
type StatusSet []StatusRange

// StatusRange is an inclusive range of HTTP statuses.
type StatusRange struct{ Low, High int }

// Contains reports whether the set holds the status.
func (s StatusSet) Contains(status int) bool {
	for _, r := range s {
		if status >= r.Low && status <= r.High {
			return true
		}
	}
	return false
}

// Engine is the driver that sends the load.
type Engine string

// The engines.
const (
	EngineVegeta Engine = "vegeta" // vegeta's Attacker, any protocol
	EngineDirect Engine = "direct" // a loop of its own: more on one core than vegeta's
)

// Protocol is the HTTP version that the client speaks.
type Protocol string

// The protocols.
const (
	ProtocolAuto  Protocol = "auto" // ALPN over TLS, else HTTP/1.1
	ProtocolHTTP1 Protocol = "http1"
	ProtocolHTTP2 Protocol = "http2"
	ProtocolH2C   Protocol = "h2c"
)

// Client is the behaviour of the client of every target.
type Client struct {
	Connections    int           // open connections per target at most; 0: a new connection for every request
	StreamsPerConn int           // requests at once on one HTTP/2 connection at most; 0: as many as the target allows
	MaxInFlight    int           // requests beyond it are counted as unsent
	Timeout        time.Duration // of one attempt, from its start to the last byte
	IdleTimeout    time.Duration // a pooled connection idle for longer is closed; 0: kept for ever
	Engine         Engine
	Protocol       Protocol
	PerConnection  float64      // requests per second on each held connection (Connections stages)
	LocalAddrs     []netip.Addr // source addresses, used in turn; empty: the kernel chooses
	Retries        Retries
	TLS            TLS
	Proxy          bool // honour HTTP_PROXY, HTTPS_PROXY, NO_PROXY
	ExpectContinue bool // send Expect: 100-continue with request bodies
	CloseFirst     bool // close connections that are not kept before the target does, as careless callers do
}

// Retries is the client's retry policy. Zero: no retries.
type Retries struct {
	Max           int           // retries beyond the first try
	Exponential   bool          // Base·2^try, else Base each time
	Base, Cap     time.Duration // Cap 0: none
	FullJitter    bool          // uniform in [0, backoff]
	Faults        []string      // fault names that are retried; empty: reset, eof, refused, broken-pipe
	NonIdempotent bool          // also retry POST and PATCH
	// RetryAfter is the longest Retry-After of an answer that is waited for, where it is
	// longer than the backoff; more is cut to it. 0: answers are not asked.
	RetryAfter time.Duration
}

// TLS is how https targets are spoken to.
type TLS struct {
	ServerName        string
	CAFile            string
	CertFile, KeyFile string
	SkipVerify        bool // stated in the report
	Resume            bool // later connections resume the TLS session of earlier ones
}

// LocalHost is the name of the generator's own host, which is always watched.
const LocalHost = "local"

// Host is one watched host. Without Agent, Prometheus and Kubernetes it is of this machine.
type Host struct {
	Name       string
	Agent      Agent
	Netns      string // named network namespace of this machine
	Kubernetes string // workload whose pods the host is: shop/deploy/orders (see profiles/workload)
	Prometheus []Metrics
	Pools      []Pool // resources by the names of their metrics
	Processes  []Process
	Logs       []Log
	NoLogs     bool // read no log there, what its processes write into their files neither
}

// Log is where a service of a host writes what it has to say: a file, the journal, or a
// store that is asked. Exactly one of File, Journal, URL and Container is set.
type Log struct {
	File    string // path, or a glob of several; rotated files are followed
	Journal string // systemd unit such as payments.service; "all": the whole journal
	URL     string // of a store: Loki's or VictoriaLogs' own
	Query   string // what is asked of the store, in its language
	// Container is the name of a container, or the beginning of its id, whose runtime keeps
	// what it writes.
	Container string

	Service string // who writes it; empty: as lines say, else by the name of the file or unit
	Format  string // "json", "access", "haproxy", "text"; empty: found by the lines
	// Fields are the names of JSON fields where they are none of the usual: time, level,
	// message, service, id, peer, status.
	Fields map[string]string
}

// LogFormats are the formats of logs that can be named.
var LogFormats = []string{"json", "access", "envoy", "haproxy", "text"}

// LogFields are the fields of JSON lines whose names can be given.
var LogFields = []string{"time", "level", "message", "service", "id", "peer", "status"}

// Remote reports whether the host is not of this machine.
func (h Host) Remote() bool {
	return h.Agent.Given() || h.Kubernetes != "" || len(h.Prometheus) > 0 && h.Netns == ""
}

// Agent is how the agent of a host is reached; at most one of its first three fields
// is set. The zero value is no agent.
type Agent struct {
	Name    string   // of an agent that runs already, on the fleet's bus; OwnName: that of the host
	SSH     string   // "ssh" for the host's own name, else ssh://user@host:port
	Command []string // starts rampload agent --stdio there, as kubectl exec does
	Install bool     // with SSH: copy this rampload there first
}

// Given reports whether there is an agent.
func (a Agent) Given() bool { return a.Name != "" || a.SSH != "" || len(a.Command) > 0 }

// OwnName stands for the name of the host where the name of an agent is expected.
const OwnName = "nats"

// AgentName is the name of the host's agent on the fleet's bus; empty if it is reached
// in another way.
func (h Host) AgentName() string {
	if h.Agent.Name == OwnName {
		return h.Name
	}
	return h.Agent.Name
}

// Metrics is a page in Prometheus' text format.
type Metrics struct {
	URL                string
	Username, Password string
	Bearer             string // token
	TLS                TLS
	Every              time.Duration // 0: 1 s
}

// Pool is a resource that two metrics of a page stand for. Use and Limit are the
// name of a metric, with labels where some series only are meant, as in
// pool_size{pool="db"}; Limit may be a number, or empty.
type Pool struct {
	Name       string
	Use, Limit string
}

// Fleet is the other machines that take part in a run. The zero value is none.
type Fleet struct {
	Workers int    // machines that send the load; 0: this one does
	NATS    string // URL of a NATS server that is there; empty: this machine is one
	Creds   string // file with credentials for it
	CA      string // file with the certificates to trust
	Listen  string // host:port of the own server; empty: loopback
	// Within is how long the server, workers and agents are waited for; 0: as long as
	// they take that wait for runs.
	Within time.Duration
}

// Process selects processes of a host; exactly one field is set.
type Process struct {
	Listen int    // listening TCP port
	PID    int    //
	Name   string // command name
	Cgroup string // cgroup path below the mount
	Unit   string // systemd unit
	// Container is the name of a container, or the beginning of its id; Pod is
	// NAMESPACE/NAME of a pod of this node, with * for a part of it.
	Container, Pod string
}

// IsAgentName reports whether the text can be the name of an agent: one like the
// name of a host.
func IsAgentName(text string) bool {
	return text != "" && len(text) <= 253 && text[0] != '-' && text[0] != '.' && strings.IndexFunc(text, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && r != '-' && r != '_' && r != '.'
	}) < 0
}

// String returns the selection as rules.ParseProcess reads it, such as listen=8080.
func (p Process) String() string {
	switch {
	case p.Listen != 0:
		return "listen=" + strconv.Itoa(p.Listen)
	case p.PID != 0:
		return "pid=" + strconv.Itoa(p.PID)
	case p.Cgroup != "":
		return "cgroup=" + p.Cgroup
	case p.Unit != "":
		return "unit=" + p.Unit
	case p.Container != "":
		return "container=" + p.Container
	case p.Pod != "":
		return "pod=" + p.Pod
	}
	return "name=" + p.Name
}
