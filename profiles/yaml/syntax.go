package yaml

import (
	"github.com/rampload/rampload/profiles/yaml/scalar"
	"github.com/rampload/rampload/profiles/yaml/section"
)

// The types in this file are the syntax of a profile. Decoding, encoding,
// overriding and the JSON Schema all follow their fields: the tag yaml names the
// key (with ",required" where a profile is nothing without it), the tag about
// explains it to people. Pointers are values that may be left out.

type profileSyntax struct {
	Name     *scalar.Word           `yaml:"name" about:"Name of the profile, part of the report's file name. Without it: the name of the file."`
	Targets  []targetSyntax         `yaml:"targets" about:"The services under test. Journeys may take their place." example:"write targets: [{name: orders, url: http://127.0.0.1:8080}]"`
	Journeys []journeySyntax        `yaml:"journeys" about:"What virtual users do: requests in order, with cookies, values of earlier answers and pauses."`
	Data     *tables                `yaml:"data" about:"Tables that requests are filled with: {users: users.csv} for ${users.id} in paths, headers and bodies."`
	Load     []stageSyntax          `yaml:"load,required" about:"The load in stages, one after the other: requests per second in total over all targets." example:"write load: [{from: 50/s, to: 2000/s, over: 2m}]"`
	Client   *clientSyntax          `yaml:"client" about:"How the client of every target behaves."`
	Hosts    []hostSyntax           `yaml:"hosts" about:"Hosts whose resources are watched. The generator (local) always is."`
	Gate     []scalar.Gate          `yaml:"gate" about:"What must hold at the end; else rampload exits 1."`
	Fleet    *fleetSyntax           `yaml:"fleet" about:"Other machines that take part: that send the load, or watch their hosts."`
	Metrics  *section.ExportSyntax  `yaml:"metrics" about:"Where the numbers of the run go while it goes on: an address at which Prometheus fetches them, such as :9464, or several ways."`
	Notify   []section.NoticeSyntax `yaml:"notify" about:"Who is told while the run goes on that a gate is broken or an abort condition is met: Alertmanagers and webhooks."`
	Traces   *section.TracesSyntax  `yaml:"traces" about:"Distributed tracing: which requests services are asked to record, where the run's own spans go, and what is asked for the traces of failed requests."`
	AbortIf  []scalar.Gate          `yaml:"abort-if" about:"What ends the run, with exit 1, as soon as it holds. Without it: failures within 10s > 50%. An empty list: nothing."`
}

type targetSyntax struct {
	Name         *scalar.Word      `yaml:"name,required" about:"Name of the target in gates and reports." example:"write name: orders"`
	URL          *scalar.Text      `yaml:"url" about:"Base URL: http://, https:// or unix:///path/to.sock; grpc:// (without TLS) and grpcs://; tcp:// and tls:// for scripts of bytes, redis:// and rediss://, postgres://; ws:// and wss:// for WebSocket."`
	ConnectTo    *scalar.Text      `yaml:"connect-to" about:"host:port to connect to instead of the url's, which still gives the Host header and the TLS name."`
	TLS          *targetTLS        `yaml:"tls" about:"How this target is spoken to, when https."`
	Hosts        []scalar.Word     `yaml:"hosts" about:"Names of the hosts that serve it, the outermost first in a chain."`
	Share        *scalar.Share     `yaml:"share" about:"Share of the total rate. Targets without one divide the rest equally."`
	Requests     []requestSyntax   `yaml:"requests" about:"Weighted requests. Without them: GET of the url, PING of redis://, SELECT 1 of postgres://."`
	Headers      *scalar.Headers   `yaml:"headers" about:"Headers of the opening handshake of a ws:// or wss:// target."`
	Subprotocols []scalar.Text     `yaml:"subprotocols" about:"Subprotocols that a ws:// or wss:// target is offered, the best first."`
	OnConnect    []turnSyntax      `yaml:"on-connect" about:"Script that each new connection of tcp://, tls://, ws:// or wss:// begins with, such as a banner and a log-in."`
	Protos       []scalar.Text     `yaml:"protos" about:"The .proto files of a grpc:// target. Without them: the target is asked, by server reflection."`
	ProtoPaths   []scalar.Text     `yaml:"proto-paths" about:"Folders that imports of the .proto files are below. Without them: those of the files."`
	KeepAlive    *scalar.Duration  `yaml:"keep-alive" about:"Ping a connection that was silent for so long: of grpc:// one that has calls, of ws:// and wss:// any, whose pings are counted as TARGET:ping. Without it: never."`
	FirstMessage *scalar.Duration  `yaml:"first-message" about:"A message of the server has to come so soon after each new connection of ws:// or wss:// began to be opened; counted as TARGET:first-message. Without it: none is awaited."`
	File         *scalar.Text      `yaml:"file" about:"Requests in vegeta's HTTP or JSON targets format, instead of url and requests."`
	Expect       *scalar.Statuses  `yaml:"expect" about:"HTTP statuses that count as success, or those of gRPC such as ok and not-found. Without it: 2xx and 3xx, or ok."`
	Completion   *completionSyntax `yaml:"completion" about:"How it is learnt that what the target accepted (202) and does later is done. What is not done in time is lost, a failure of TARGET:completion."`
}

type tableFields struct {
	File *scalar.Text    `yaml:"file,required" about:"CSV with a line of column names, or JSON Lines (.jsonl), beside the profile." example:"write file: users.csv"`
	Pick *scalar.RowPick `yaml:"pick" about:"sequential: one row after the other, and again from the first. random: any. once: each row once, and the load ends with the last. Without it: sequential."`
}

type targetTLS struct {
	ServerName *scalar.Text `yaml:"server-name" about:"Name to ask for and to check. Without it: the client's, else the host of the url."`
}

type requestFields struct {
	Method    *scalar.Word     `yaml:"method" about:"HTTP method. Without it: GET."`
	Path      *scalar.Text     `yaml:"path" about:"Path and query below the target's url. Without it: the url itself."`
	Headers   *scalar.Headers  `yaml:"headers" about:"Headers. A list of values repeats the header."`
	Body      *scalar.Text     `yaml:"body" about:"Body of the request."`
	BodyFile  *scalar.Text     `yaml:"body-file" about:"File with the body, beside the profile; it is read once, at the start."`
	Form      *scalar.Form     `yaml:"form" about:"Fields of a form, sent as application/x-www-form-urlencoded. A list of values repeats the field. The method is POST if none is given."`
	Multipart []partSyntax     `yaml:"multipart" about:"Parts of a multipart/form-data body: values and files. The method is POST if none is given."`
	Template  *scalar.Toggle   `yaml:"template" about:"Fill in {{.N}} (number of the request), {{.ID}} (transaction id) and {{.Now}} (time, RFC 3339) in the body."`
	Chunked   *scalar.Toggle   `yaml:"chunked" about:"Send the body with chunked transfer encoding."`
	Name      *scalar.Word     `yaml:"name" about:"Name of the request in reports. Without it: what it asks for."`
	Command   *scalar.Text     `yaml:"command" about:"What is asked of redis:// (GET key), the statement for postgres://, or the message of ws:// that any message answers. Such requests may also be written as that text alone."`
	Script    []turnSyntax     `yaml:"script" about:"Turns over a connection of tcp://, tls://, ws:// or wss://, in order: send, expect, hold, over WebSocket ping; at the end close or reset."`
	Call      *scalar.Text     `yaml:"call" about:"A gRPC call instead: package.Service/Method, of a grpc:// or grpcs:// target."`
	Message   *jsonText        `yaml:"message" about:"Message of the call, as YAML or JSON by the names of its .proto file. Without it: an empty one."`
	Messages  []jsonText       `yaml:"messages" about:"Messages of a call that streams them, in order."`
	Metadata  *scalar.Headers  `yaml:"metadata" about:"Metadata of the call. A list of values repeats the name."`
	Deadline  *scalar.Duration `yaml:"deadline" about:"Time that the call has, which the server is told (grpc-timeout). Without it: the client's timeout."`
	Every     *scalar.Duration `yaml:"every" about:"Time between two messages of a call that streams them. Without it: all at once."`
	Take      *scalar.Count    `yaml:"take" about:"Messages of an answer that streams them after which the call is given up, as a success. Without it: all, to the end."`
	Weight    *scalar.Weight   `yaml:"weight" about:"How often this request is sent, relative to the target's others. Without it: 1."`
}

type partSyntax struct {
	Name  *scalar.Text `yaml:"name,required" about:"Name of the field." example:"write name: photo"`
	Value *scalar.Text `yaml:"value" about:"Its value."`
	File  *scalar.Text `yaml:"file" about:"File to send instead of a value, beside the profile; it is read once, at the start."`
	Type  *scalar.Text `yaml:"type" about:"Media type, such as image/png. Without it: none, for a file application/octet-stream."`
}

type stageSyntax struct {
	From   *scalar.Level    `yaml:"from" about:"Load at the beginning: a rate, or a number of held connections."`
	To     *scalar.Level    `yaml:"to" about:"Load at the end: a rate, or a number of held connections."`
	Over   *scalar.Duration `yaml:"over" about:"Length of a ramp."`
	At     *scalar.Peak     `yaml:"at" about:"Rate or number of connections to hold, or max: a closed loop in which every connection is always busy."`
	Step   *scalar.Rate     `yaml:"step" about:"Height of each step of a staircase, up or down."`
	Burst  *scalar.Count    `yaml:"burst" about:"Requests sent at once."`
	Every  *scalar.Duration `yaml:"every" about:"Length of each step of a staircase, or time between bursts."`
	Jitter *scalar.Duration `yaml:"jitter" about:"The time between bursts varies by up to this, both ways."`
	For    *scalar.Duration `yaml:"for" about:"Length of a hold, of at: max, or of bursts."`

	Arrivals *scalar.Arrivals `yaml:"journeys" about:"Journeys that begin a second: 20/s to 200/s with over, or 100/s with for."`
	Search   *searchSyntax    `yaml:"search" about:"Look for the highest load at which a gate holds. It stands alone in load."`
	Idle     *scalar.IdleSpan `yaml:"idle" about:"Find how long idle connections live: a handful for each target, held for times in this span. The last of the stages."`
}

type searchSyntax struct {
	From      *scalar.Rate      `yaml:"from,required" about:"First load; it doubles until the gate breaks." example:"write from: 100/s"`
	To        *scalar.Rate      `yaml:"to,required" about:"Highest load that is tried." example:"write to: 5000/s"`
	Until     *scalar.Gate      `yaml:"until" about:"What must hold for a load to pass. Without it: the profile's gates on resets, failures and percentiles, else failures < 0.1%."`
	Hold      *scalar.Duration  `yaml:"hold" about:"How long each load is held, and up to three times as long where that decides. Without it: 10s."`
	CoolDown  *scalar.Duration  `yaml:"cool-down" about:"Pause between two loads, longer while this machine's ports drain. Without it: 5s."`
	Precision *scalar.Precision `yaml:"precision" about:"Stop when the highest load that passes and the lowest that does not differ by less. Without it: 5%."`
}

type clientSyntax struct {
	Connections    *scalar.Count      `yaml:"connections" about:"Open connections per target at most; a request waits for one. 0: a new connection for every request. Without it: 256."`
	StreamsPerConn *scalar.Count      `yaml:"streams-per-connection" about:"Requests at once on one HTTP/2 connection at most; beyond it another is opened. 0: as many as the target allows. Without it: 100."`
	MaxInFlight    *scalar.Limit      `yaml:"max-in-flight" about:"Requests in flight at most; those beyond it are counted as unsent. Without it: 10000."`
	Timeout        *scalar.Timeout    `yaml:"timeout" about:"Time for one attempt, to the last byte. Without it: 5s."`
	IdleTimeout    *scalar.Duration   `yaml:"idle-timeout" about:"Close pooled connections that were idle for longer. 0s: never. Without it: 90s."`
	Engine         *scalar.Engine     `yaml:"engine" about:"What sends the load: vegeta, or direct (for rates beyond vegeta's). Both speak every protocol."`
	Protocol       *scalar.Protocol   `yaml:"protocol" about:"HTTP version: auto (ALPN over TLS, else HTTP/1.1), http1, http2 or h2c."`
	PerConnection  *scalar.Rate       `yaml:"per-connection" about:"Rate on each held connection, for stages of connections."`
	LocalAddresses []scalar.Address   `yaml:"local-addresses" about:"Addresses of this machine to send from, in turn. Each has its own ephemeral ports."`
	Retries        *retriesSyntax     `yaml:"retries" about:"When failed requests are tried again. Without it: never."`
	TLS            *section.TLSSyntax `yaml:"tls" about:"How https targets are spoken to."`
	Proxy          *scalar.Proxy      `yaml:"proxy" about:"environment: use HTTP_PROXY, HTTPS_PROXY and NO_PROXY. none, or without it: no proxy."`
	CloseBy        *scalar.Closer     `yaml:"close-by" about:"Who closes a connection that serves one request: target (asked to by Connection: close), or client (not asked: rampload closes first, and its port waits). Without it: target."`
	ExpectContinue *scalar.Toggle     `yaml:"expect-continue" about:"Send Expect: 100-continue with bodies, and wait for the answer."`
}

type retriesSyntax struct {
	Max           *scalar.Count    `yaml:"max" about:"Tries after the first. 0: none."`
	Backoff       *scalar.Backoff  `yaml:"backoff" about:"exponential: the wait doubles with each try. constant: it stays base."`
	Base          *scalar.Duration `yaml:"base" about:"Wait before the first retry. Without it: 50ms."`
	Cap           *scalar.Duration `yaml:"cap" about:"Longest wait. 0s: no limit. Without it: 2s."`
	Jitter        *scalar.Jitter   `yaml:"jitter" about:"full: wait a random time up to the backoff. none: wait exactly that long."`
	On            []scalar.Word    `yaml:"on" about:"Faults that are tried again. Without it: reset, eof, refused and broken-pipe."`
	NonIdempotent *scalar.Toggle   `yaml:"non-idempotent" about:"Try POST and PATCH again, too."`
	RetryAfter    *scalar.Duration `yaml:"retry-after" about:"Wait as long as an answer's Retry-After says, up to this, where that is longer than the backoff; needs status in on. Without it: the backoff alone."`
}

type hostSyntax struct {
	Name       *scalar.Word    `yaml:"name,required" about:"Name of the host in targets and reports. local is the generator." example:"write name: orders-1"`
	Agent      *agentSyntax    `yaml:"agent" about:"How the host is watched: ssh, ssh://user@host:port, nats (an agent of the host's name that is connected to the fleet's NATS server), the name of such an agent, or {command: [...]}. Without it: this machine."`
	Kubernetes *scalar.Text    `yaml:"kubernetes" about:"What runs in Kubernetes: NAMESPACE/deploy/NAME (or sts, ds, pod), or NAMESPACE/LABEL=VALUE. Its pods are found through the API, as kubectl would, and watched by the agents of their nodes."`
	Netns      *scalar.Text    `yaml:"netns" about:"Named network namespace of this machine."`
	Prometheus metricsList     `yaml:"prometheus" about:"Metrics pages of the host, such as node_exporter's."`
	Pools      []poolSyntax    `yaml:"pools" about:"Resources of the host by the names of their metrics."`
	Processes  []processSyntax `yaml:"processes" about:"Processes to watch."`
	Logs       section.Logs    `yaml:"logs" about:"Logs of the services on the host: paths and globs of files, or {journal: UNIT}. What lines say of failed transactions is joined to them. none: no log is read, the files that its processes have open neither."`
}

type agentFields struct {
	SSH     *scalar.Text  `yaml:"ssh" about:"Address for the own ssh: ssh://user@host:port, or ssh for the host's name."`
	Command []scalar.Text `yaml:"command" about:"Command that starts rampload agent --stdio there, word by word."`
	Name    *scalar.Text  `yaml:"name" about:"Name of an agent that runs there and is connected to the fleet's NATS server; nats: the host's name."`
	Install *install      `yaml:"install" about:"copy: copy this rampload there first, to a temporary path, over ssh."`
}

type metricsFields struct {
	URL      *scalar.Text       `yaml:"url,required" about:"URL of the page." example:"write url: http://db-1:9100/metrics"`
	Username *scalar.Text       `yaml:"username" about:"User for basic authentication."`
	Password *scalar.Text       `yaml:"password" about:"Password for basic authentication, such as ${METRICS_PASSWORD}."`
	Bearer   *scalar.Text       `yaml:"bearer" about:"Bearer token, such as ${METRICS_TOKEN}."`
	TLS      *section.TLSSyntax `yaml:"tls" about:"How an https page is spoken to."`
	Every    *scalar.Duration   `yaml:"every" about:"How often the page is read. Without it: 1s."`
}

type poolSyntax struct {
	Name  *scalar.Word `yaml:"name,required" about:"Name of the pool in reports." example:"write name: db"`
	Use   *scalar.Text `yaml:"use,required" about:"Metric of what is in use, such as hikaricp_connections_active." example:"write use: hikaricp_connections_active"`
	Limit *ceiling     `yaml:"limit" about:"Metric of the limit, or a number."`
}

type fleetSyntax struct {
	Workers *scalar.Count    `yaml:"workers" about:"Machines that send the load, each an equal slice. Without it: this one sends it."`
	NATS    *scalar.Text     `yaml:"nats" about:"URL of the NATS server that all are connected to. Without it: this machine is the server."`
	Creds   *scalar.Text     `yaml:"creds" about:"File with the coordinator's credentials, as rampload fleet creds writes it."`
	CA      *scalar.Text     `yaml:"ca" about:"File with the certificates to trust (PEM). Without it: the system's."`
	Listen  *scalar.Text     `yaml:"listen" about:"Address of the own server, such as 0.0.0.0:4222. Without it: a port of loopback."`
	Within  *scalar.Duration `yaml:"within" about:"How long to wait for the server, for workers and for agents. Without it: 15 s for workers, 5 s for agents."`
}

type processSyntax struct {
	Listen *scalar.Count `yaml:"listen" about:"TCP port that the process listens on."`
	PID    *scalar.Count `yaml:"pid" about:"Process id."`
	Name   *scalar.Text  `yaml:"name" about:"Name of its command."`
	Cgroup *scalar.Text  `yaml:"cgroup" about:"Path of its cgroup below /sys/fs/cgroup."`
	Unit   *scalar.Text  `yaml:"unit" about:"Its systemd unit, such as payments.service."`

	Container *scalar.Text `yaml:"container" about:"Name of its container (docker, podman, Kubernetes), or the beginning of its id."`
	Pod       *scalar.Text `yaml:"pod" about:"NAMESPACE/NAME of its pod on this node, with * for a part, such as shop/orders-*; or what makes such pods, such as shop/deploy/orders."`
}
