// Package fingerprint tells which runs can be compared: those of the same load by the same
// client on the same targets.
package fingerprint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"path/filepath"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/redaction"
)

// Of identifies what makes two runs comparable: the targets with their
// requests, the load (with what a search looks for) and the client. It does not
// depend on the profile's name, the hosts that requests go to or that are
// watched, other gates, credentials, what came from the environment, or where
// files lie. It is "v1:" and 32 hex digits
// of a SHA-256; "v1" changes when its definition does.
func Of(p profiles.Profile) string {
	p = redaction.Profile(p.WithDefaults())
	print := printed{Client: printClient(p.Client)}
	for _, t := range p.Targets {
		print.Targets = append(print.Targets, printTarget(t))
	}
	for _, t := range p.Data {
		print.Data = append(print.Data, printedTable{t.Name, filepath.Base(t.File), t.Pick})
	}
	for _, j := range p.Journeys {
		one := printedJourney{OwnConn: j.OwnConn}
		for _, s := range j.Steps {
			one.Steps = append(one.Steps, printedStep{s.ThinkFrom, s.ThinkTo, s.Extract, s.Check, s.SkipFailed})
		}
		print.Journeys = append(print.Journeys, one)
	}
	for _, s := range p.Load {
		stage := printStage(s)
		if _, ok := s.(profiles.Search); ok { // what it looks for decides which loads are sent
			for _, g := range p.SearchGates() {
				stage.Until = append(stage.Until, g.String())
			}
		}
		print.Load = append(print.Load, stage)
	}
	data, err := json.Marshal(print)
	if err != nil { // only for rates that are not finite, which profiles/rules refuses
		data = []byte(err.Error())
	}
	sum := sha256.Sum256(data)
	return "v1:" + hex.EncodeToString(sum[:16])
}

// The fingerprint is a hash of the JSON of these types. New fields must be left
// out when they are zero, so that the fingerprints of old reports stay.
type (
	printed struct {
		Targets []printedTarget `json:"targets"`
		Load    []printedStage  `json:"load"`
		Client  printedClient   `json:"client"`
		Data    []printedTable  `json:"data,omitempty"`

		Journeys []printedJourney `json:"journeys,omitempty"`
	}
	printedJourney struct {
		OwnConn bool          `json:"own_connection,omitempty"`
		Steps   []printedStep `json:"steps"`
	}
	printedStep struct {
		ThinkFrom  time.Duration      `json:"think_from,omitempty"`
		ThinkTo    time.Duration      `json:"think_to,omitempty"`
		Extract    []profiles.Extract `json:"extract,omitempty"`
		Check      profiles.Check     `json:"check"`
		SkipFailed bool               `json:"skip_failed,omitempty"`
	}
	printedTable struct {
		Name string        `json:"name"`
		File string        `json:"file"`
		Pick profiles.Pick `json:"pick"`
	}
	printedTarget struct {
		Name     string             `json:"name"`
		Scheme   string             `json:"scheme,omitempty"`
		Path     string             `json:"path,omitempty"`
		Share    float64            `json:"share"`
		File     string             `json:"file,omitempty"`
		Expect   profiles.StatusSet `json:"expect"`
		Requests []printedRequest   `json:"requests,omitempty"`

		OnConnect []profiles.Turn `json:"on_connect,omitempty"`
		KeepAlive time.Duration   `json:"keep_alive,omitempty"`

		Headers      []profiles.Header `json:"headers,omitempty"` // of a WebSocket's handshake
		Subprotocols []string          `json:"subprotocols,omitempty"`
		FirstMessage time.Duration     `json:"first_message,omitempty"`

		Completion *profiles.Completion `json:"completion,omitempty"` // without addresses
	}
	printedRequest struct {
		Method   string            `json:"method"`
		Path     string            `json:"path,omitempty"`
		Headers  []profiles.Header `json:"headers,omitempty"`
		Body     string            `json:"body,omitempty"`
		BodyFile string            `json:"body_file,omitempty"`
		Template bool              `json:"template,omitempty"`
		Chunked  bool              `json:"chunked,omitempty"`
		Weight   float64           `json:"weight"`
		Parts    []profiles.Part   `json:"parts,omitempty"`
		Filled   bool              `json:"filled,omitempty"`
		Command  string            `json:"command,omitempty"`
		Script   []profiles.Turn   `json:"script,omitempty"`
		Call     *profiles.Call    `json:"call,omitempty"`
	}
	printedStage struct {
		Kind      printedKind   `json:"kind"`
		From      float64       `json:"from,omitempty"`
		To        float64       `json:"to,omitempty"`
		Step      float64       `json:"step,omitempty"`
		Every     time.Duration `json:"every,omitempty"`
		Jitter    time.Duration `json:"jitter,omitempty"`
		BurstSize int           `json:"burst,omitempty"`
		FromConns int           `json:"from_conns,omitempty"`
		ToConns   int           `json:"to_conns,omitempty"`
		For       time.Duration `json:"for"`
		Until     []string      `json:"until,omitempty"`
		HoldFor   time.Duration `json:"hold,omitempty"`
		CoolDown  time.Duration `json:"cool_down,omitempty"`
		Precision float64       `json:"precision,omitempty"`
		IdleFrom  time.Duration `json:"idle_from,omitempty"`
		IdleTo    time.Duration `json:"idle_to,omitempty"`
	}
	printedClient struct {
		Connections    int               `json:"connections"`
		StreamsPerConn *int              `json:"streams_per_connection,omitempty"`
		MaxInFlight    int               `json:"max_in_flight"`
		Timeout        time.Duration     `json:"timeout"`
		IdleTimeout    time.Duration     `json:"idle_timeout"`
		Engine         profiles.Engine   `json:"engine"`
		Protocol       profiles.Protocol `json:"protocol"`
		PerConnection  float64           `json:"per_connection,omitempty"`
		LocalAddrs     int               `json:"local_addresses,omitempty"`
		Retries        *printedRetries   `json:"retries,omitempty"`
		ClientCert     bool              `json:"client_cert,omitempty"`
		SkipVerify     bool              `json:"skip_verify,omitempty"`
		Resume         bool              `json:"resume,omitempty"`
		Proxy          bool              `json:"proxy,omitempty"`
		ExpectContinue bool              `json:"expect_continue,omitempty"`
		CloseFirst     bool              `json:"close_first,omitempty"`
	}
	printedRetries struct {
		Max           int           `json:"max"`
		Exponential   bool          `json:"exponential,omitempty"`
		Base          time.Duration `json:"base"`
		Cap           time.Duration `json:"cap,omitempty"`
		FullJitter    bool          `json:"full_jitter,omitempty"`
		Faults        []string      `json:"faults,omitempty"`
		NonIdempotent bool          `json:"non_idempotent,omitempty"`
		RetryAfter    time.Duration `json:"retry_after,omitempty"`
	}
)

// printedKind is the number of a kind of stage in fingerprints: one never becomes another's.
type printedKind uint8

const (
	printedRamp printedKind = iota
	printedHold
	printedStaircase
	printedBurst
	printedMax
	printedConnections
	printedSearch
	printedIdle
)

func printStage(stage profiles.Stage) printedStage {
	switch s := stage.(type) {
	case profiles.Ramp:
		return printedStage{Kind: printedRamp, From: s.From, To: s.To, For: s.For}
	case profiles.Hold:
		return printedStage{Kind: printedHold, From: s.Rate, To: s.Rate, For: s.For}
	case profiles.Staircase:
		return printedStage{Kind: printedStaircase, From: s.From, To: s.To, Step: s.Step, Every: s.Every, For: s.Duration()}
	case profiles.Burst:
		return printedStage{Kind: printedBurst, Every: s.Every, Jitter: s.Jitter, BurstSize: s.Size, For: s.For}
	case profiles.Max:
		return printedStage{Kind: printedMax, For: s.For}
	case profiles.Connections:
		return printedStage{Kind: printedConnections, FromConns: s.From, ToConns: s.To, For: s.For}
	case profiles.Search:
		return printedStage{Kind: printedSearch, From: s.From, To: s.To, HoldFor: s.HoldFor, CoolDown: s.CoolDown, Precision: s.Precision}
	case profiles.Idle:
		return printedStage{Kind: printedIdle, IdleFrom: s.From, IdleTo: s.To}
	}
	return printedStage{} // nil: profiles/rules has refused it
}

func printTarget(t profiles.Target) printedTarget {
	print := printedTarget{Name: t.Name, Share: t.Share, Expect: t.Expect, OnConnect: t.OnConnect, KeepAlive: t.GRPC.KeepAlive + t.WebSocket.KeepAlive}
	print.Headers, print.Subprotocols, print.FirstMessage = t.WebSocket.Headers, t.WebSocket.Subprotocols, t.WebSocket.FirstMessage
	if u, err := url.Parse(t.URL); err == nil {
		print.Scheme = u.Scheme
		if u.Scheme != "unix" { // there the path is the address
			print.Path = u.Path
		}
	}
	if t.Completion.Given() {
		c := t.Completion
		c.Poll.URL, c.Poll.Headers, c.Callback, c.Topic.URL, c.Topic.Creds, c.Topic.CA = "", nil, profiles.Callback{}, "", "", ""
		print.Completion = &c
	}
	if t.File != "" {
		print.File = filepath.Base(t.File)
	}
	for _, r := range t.Requests {
		pr := printedRequest{r.Method, r.Path, r.Headers, r.Body, "", r.Template, r.Chunked, r.Weight, nil, r.Filled, r.Command, r.Script, r.Call}
		for _, part := range r.Parts {
			if part.File != "" {
				part.File = filepath.Base(part.File)
			}
			pr.Parts = append(pr.Parts, part)
		}
		if r.BodyFile != "" {
			pr.BodyFile = filepath.Base(r.BodyFile)
		}
		print.Requests = append(print.Requests, pr)
	}
	return print
}

func printClient(c profiles.Client) printedClient {
	print := printedClient{
		Connections: c.Connections, MaxInFlight: c.MaxInFlight, Timeout: c.Timeout, IdleTimeout: c.IdleTimeout,
		Engine: c.Engine, Protocol: c.Protocol, PerConnection: c.PerConnection, LocalAddrs: len(c.LocalAddrs),
		ClientCert: c.TLS.CertFile != "", SkipVerify: c.TLS.SkipVerify, Resume: c.TLS.Resume, Proxy: c.Proxy, ExpectContinue: c.ExpectContinue,
		CloseFirst: c.CloseFirst,
	}
	if c.StreamsPerConn != profiles.DefaultClient().StreamsPerConn {
		// Earlier releases had no such setting: what is usual keeps its fingerprint.
		print.StreamsPerConn = &c.StreamsPerConn
	}
	if c.Retries.Max > 0 {
		retries := printedRetries(c.Retries)
		print.Retries = &retries
	}
	return print
}
