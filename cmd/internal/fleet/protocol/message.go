package protocol

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/runlog"
)

// How long silence may last. A worker stops sending before its slice is sent by
// another, so that no request is sent twice.
const (
	// BeatEvery is the time between two signs of life of the coordinator.
	BeatEvery = 250 * time.Millisecond
	// LostAfter is the silence after which a worker counts as lost.
	LostAfter = 1250 * time.Millisecond
	// StopAfter is the silence after which a worker stops by itself.
	StopAfter = 1750 * time.Millisecond
	// TakenAfter is when, counted from a worker's last sign, its slice goes on.
	TakenAfter = 2 * time.Second
	// LeaveAfter is the silence after which an agent ends its record. It goes on
	// before: the connection may come back, and the record with it.
	LeaveAfter = 10 * time.Minute
)

// OrderKind is what a worker or an agent is asked to do.
type OrderKind string

// The kinds of orders.
const (
	OrderPrepare OrderKind = "prepare" // a worker: get ready to send a slice
	OrderWatch   OrderKind = "watch"   // an agent: begin a record
	OrderStart   OrderKind = "start"   // a worker: t = 0 is at StartAt on its own clock
	OrderExtend  OrderKind = "extend"  // a worker: the schedule goes on, or ends
	OrderTake    OrderKind = "take"    // a worker: send the slice of a lost one too
	OrderStop    OrderKind = "stop"    // a worker: send nothing more
	OrderEnd     OrderKind = "end"     // an agent: end the record
	OrderDone    OrderKind = "done"    // everything arrived: forget the copies
)

// Order is one message to a worker or an agent.
type Order struct {
	Version int       `json:"version"`
	Run     string    `json:"run"`
	Part    int       `json:"part,omitempty"` // number of the record that it begins
	Kind    OrderKind `json:"kind"`

	Assignment *Assignment   `json:"assignment,omitempty"`  // prepare
	Request    *Request      `json:"request,omitempty"`     // watch
	StartAt    time.Duration `json:"start_at_ns,omitempty"` // start
	Stages     profiles.Load `json:"stages,omitempty"`      // extend
	Final      bool          `json:"final,omitempty"`       // extend
	Slice      int           `json:"slice,omitempty"`       // take
	From       time.Duration `json:"from_ns,omitempty"`     // take: due before is somebody else's
}

// Answer is what comes back.
type Answer struct {
	Error    string        `json:"error,omitempty"`
	Busy     bool          `json:"busy,omitempty"` // in another run
	Warnings []string      `json:"warnings,omitempty"`
	Header   runlog.Header `json:"header,omitzero"` // watch: what the record begins with
}

// Beat is a sign of life of the coordinator, and asks for the time.
type Beat struct {
	Asked time.Duration `json:"asked_ns"`       // on the coordinator's clock
	Lost  []string      `json:"lost,omitempty"` // ids of those that do not belong to the run any more
}

// Pulse answers a beat, with the times on the clock of who answers.
type Pulse struct {
	ID       string        `json:"id"`
	Asked    time.Duration `json:"asked_ns"`
	Received time.Duration `json:"received_ns"`
	Answered time.Duration `json:"answered_ns"`
	// NotKept is why the server does not take its records; empty: it does.
	NotKept string `json:"not_kept,omitempty"`
}

// BeatSubject is where the coordinator of a run gives its signs of life.
func BeatSubject(run string) string { return "rampload.run." + run + ".beat" }

// Assignment is what a worker has to send.
type Assignment struct {
	Profile profiles.Profile `json:"profile"` // with this worker's share of the client's limits
	// Files are the files that the profile names, by their names in it: bodies,
	// certificates. A worker reads none of its own.
	Files       map[string][]byte `json:"files,omitempty"`
	Header      runlog.Header     `json:"header"` // of its record, but for what it knows of itself
	Slice       int               `json:"slice"`
	Of          int               `json:"of"`
	Beside      Beside            `json:"beside"`
	Search      bool              `json:"search"` // the schedule grows
	SampleEvery time.Duration     `json:"sample_every_ns"`
	Trace       bool              `json:"trace"`
}

// Beside is who else of a run's workers is where a worker is. The zero value is nobody.
type Beside struct {
	Rank    int `json:"rank"`    // of this one, from 0, among those that share its source ports
	Of      int `json:"of"`      // how many do: those in one network namespace
	Machine int `json:"machine"` // how many share its processors
}

// Assign divides a profile: each of several workers gets its share of the client's
// limits, and the files that are named.
func Assign(p profiles.Profile, slice, of int) (Assignment, error) {
	a := Assignment{Profile: p, Slice: slice, Of: of, Files: map[string][]byte{}}
	q := &a.Profile
	onlyLoad(q)
	if p.Client.Connections > 0 {
		q.Client.Connections = part(p.Client.Connections, slice, of)
	}
	if p.Client.MaxInFlight > 0 {
		q.Client.MaxInFlight = part(p.Client.MaxInFlight, slice, of)
	}
	q.Targets = slices.Clone(p.Targets)
	for i := range q.Targets {
		t := &q.Targets[i]
		t.Hosts, t.Requests, t.Read = nil, clonedParts(t.Requests), slices.Clone(t.Read)
		for j := range t.Read {
			t.Read[j].Requests = clonedParts(t.Read[j].Requests)
		}
		if len(t.GRPC.Schema) > 0 {
			t.GRPC.Protos, t.GRPC.ProtoPaths = nil, nil // it was made of them
		}
	}
	q.Journeys = slices.Clone(p.Journeys)
	for i := range q.Journeys {
		j := &q.Journeys[i]
		if j.Steps = slices.Clone(j.Steps); len(j.GRPC.Schema) > 0 {
			j.GRPC.Protos, j.GRPC.ProtoPaths = nil, nil
		}
		for k := range j.Steps {
			j.Steps[k].Request.Parts = slices.Clone(j.Steps[k].Request.Parts)
		}
	}
	var err error
	eachFile(q, func(name *string) {
		if *name == "" || err != nil {
			return
		}
		if _, known := a.Files[*name]; !known {
			a.Files[*name], err = os.ReadFile(*name)
		}
	})
	if err != nil {
		return a, fmt.Errorf("read a file of the profile for the workers: %w", err)
	}
	return a, nil
}

// onlyLoad leaves out of a profile what is the coordinator's: what is watched, judged and
// told. A worker leaves it out too, whatever it is sent.
func onlyLoad(p *profiles.Profile) {
	p.Hosts, p.Gate, p.AbortIf, p.Fleet, p.Secrets = nil, nil, nil, profiles.Fleet{}, profiles.Secrets{}
	p.Export, p.Notify, p.Traces.To, p.Traces.From = profiles.Export{}, nil, profiles.SpanSink{}, profiles.SpanStore{}
}

func clonedParts(requests []profiles.Request) []profiles.Request {
	out := slices.Clone(requests)
	for i := range out {
		out[i].Parts = slices.Clone(out[i].Parts)
	}
	return out
}

// part is the share of one of several workers in n things.
func part(n, slice, of int) int { return (n + of - 1 - slice) / of }

// eachFile calls f with every name of a file that a profile's client would read.
func eachFile(p *profiles.Profile, f func(*string)) {
	f(&p.Client.TLS.CAFile)
	f(&p.Client.TLS.CertFile)
	f(&p.Client.TLS.KeyFile)
	ofRequest := func(r *profiles.Request) {
		f(&r.BodyFile)
		for k := range r.Parts {
			f(&r.Parts[k].File)
		}
	}
	for i := range p.Journeys {
		for j := range p.Journeys[i].Steps {
			ofRequest(&p.Journeys[i].Steps[j].Request)
			f(&p.Journeys[i].Steps[j].Completion.Topic.Creds)
			f(&p.Journeys[i].Steps[j].Completion.Topic.CA)
		}
	}
	for i := range p.Targets {
		t := &p.Targets[i]
		f(&t.Completion.Topic.Creds)
		f(&t.Completion.Topic.CA)
		for j := range t.Requests {
			ofRequest(&t.Requests[j])
		}
		for j := range t.Read {
			for k := range t.Read[j].Requests {
				ofRequest(&t.Read[j].Requests[k])
			}
		}
	}
}

// Check refuses a slice that there is not.
func (a *Assignment) Check() error {
	if a.Of < 1 || a.Slice < 0 || a.Slice >= a.Of {
		return fmt.Errorf("there is no slice %d of %d", a.Slice, a.Of)
	}
	for _, t := range a.Profile.Targets {
		if t.Journey < 0 || t.Journey > len(a.Profile.Journeys) || t.Journey > 0 && (t.Step < 0 || t.Step >= len(a.Profile.Journeys[t.Journey-1].Steps) || len(t.Requests) == 0) {
			return fmt.Errorf("target %s is no step of a journey that was sent along", t.Name)
		}
		if len(t.GRPC.Protos) > 0 {
			return fmt.Errorf("target %s: the profile names a file that was not sent along: %s", t.Name, t.GRPC.Protos[0])
		}
	}
	return nil
}

// Unpack writes the files of an assignment into a folder and lets the profile name
// those: nothing of this machine's own is read.
func (a *Assignment) Unpack(dir string) error {
	onlyLoad(&a.Profile)
	written := map[string]string{}
	var err error
	eachFile(&a.Profile, func(name *string) {
		if *name == "" || err != nil {
			return
		}
		path, known := written[*name]
		if !known {
			data, there := a.Files[*name]
			if !there {
				err = fmt.Errorf("the profile names a file that was not sent along: %s", *name)
				return
			}
			path = filepath.Join(dir, strconv.Itoa(len(written)))
			err = os.WriteFile(path, data, 0o600)
			written[*name] = path
		}
		*name = path
	})
	a.Files = nil
	return err
}

// Encode is JSON of what always has one.
func Encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		return []byte(`{"error":"what was to be said cannot be encoded"}`)
	}
	return data
}

func DecodeOrder(data []byte) (Order, error) {
	var o Order
	data, err := unpack(data, mostUnpacked)
	if err != nil {
		return o, err
	}
	if err := json.Unmarshal(data, &o); err != nil {
		return o, fmt.Errorf("decode order: %w", err)
	}
	if o.Version != Version {
		return o, fmt.Errorf("this rampload speaks version %d of the protocol and was asked in version %d: use the same rampload everywhere", Version, o.Version)
	}
	if len(o.Run) != 16 || !isHex(o.Run) {
		return o, fmt.Errorf("%q is not the id of a run", o.Run)
	}
	if o.Part < 0 || o.Part > 1<<20 {
		return o, fmt.Errorf("%d is not the number of a part", o.Part)
	}
	return o, nil
}

func isHex(text string) bool {
	for _, c := range []byte(text) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
