package yaml

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/scalar"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

type completionSyntax struct {
	Poll     *pollSyntax      `yaml:"poll" about:"Ask the target for the state of each transaction: location (the URL that its answer names), or a path such as /orders/${accepted.id}."`
	Callback *callbackSyntax  `yaml:"callback" about:"Wait until the target calls ${callback.url}, which a request puts into a header, path or body: the address where rampload listens, such as 127.0.0.1:9099."`
	NATS     *topicSyntax     `yaml:"nats" about:"Read messages of a subject of NATS that tell of transactions."`
	Accepted *scalar.Statuses `yaml:"accepted" about:"Statuses of answers that something follows. Without it: 202."`
	Extract  *extracts        `yaml:"extract" about:"Values of such an answer: {id: json id} is ${accepted.id} in the path of polls, and what messages are matched by."`
	Done     *checkSyntax     `yaml:"done" about:"What the answer to a poll, the callback or the message has to be for the transaction to be done. Without it: a status of success but 202, any callback, any message."`
	Failed   *checkSyntax     `yaml:"failed" about:"What it is when the service itself gave the transaction up, such as {json: {state: failed}}."`
	Timeout  *scalar.Timeout  `yaml:"timeout" about:"How long after its answer a transaction that is not done is lost. Without it: 30s."`
	Drain    *scalar.Timeout  `yaml:"drain" about:"How long after the last request pending ones are waited for. Without it: the timeout and 5s."`
}

// pollSyntax is a path, or the fields of a poll.
type pollSyntax struct{ pollFields }

type pollFields struct {
	Path    *scalar.Text     `yaml:"path" about:"Path and query, with ${accepted.NAME} for values of the answer; location: what its Location says. Without it: location."`
	URL     *scalar.Text     `yaml:"url" about:"Base URL of who is asked. Without it: the target's."`
	Headers *scalar.Headers  `yaml:"headers" about:"Headers of the polls, such as credentials."`
	Every   *scalar.Duration `yaml:"every" about:"How often a transaction is asked for; latencies are known to within it. Without it: 1s."`
	AtMost  *scalar.Rate     `yaml:"at-most" about:"Polls per second of all transactions, which are no part of the load. Without it: 200/s."`
}

// callbackSyntax is an address, or the fields of a callback.
type callbackSyntax struct{ callbackFields }

type callbackFields struct {
	Listen *scalar.Text `yaml:"listen,required" about:"host:port where rampload listens; port 0: any." example:"write listen: 127.0.0.1:9099"`
	URL    *scalar.Text `yaml:"url" about:"Base URL by which the target reaches it. Without it: the address, where it listens on all that of the way to the target."`
}

type topicSyntax struct {
	URL     *scalar.Text `yaml:"url,required" about:"URL of the server." example:"write url: nats://127.0.0.1:4222"`
	Subject *scalar.Text `yaml:"subject,required" about:"Subject of the messages, such as orders.done." example:"write subject: orders.done"`
	Creds   *scalar.Text `yaml:"creds" about:"File with credentials for the server."`
	CA      *scalar.Text `yaml:"ca" about:"File with the certificates to trust (PEM). Without it: the system's."`
	ID      *place       `yaml:"id" about:"Where a message has the id of its transaction, such as json order.id or header X-Order: accepted.id where that is extracted, else the transaction id. Without it: the header X-Transaction-Id."`
}

// place says where a value is.
type place profiles.Extract

// locationWord stands for the Location of an answer.
const locationWord = "location"

func (s *pollSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	was := d.Filling
	d.Filling = true
	defer func() { d.Filling = was }()
	if n.Kind != tree.Scalar {
		d.Fields(bind.ValueOf(&s.pollFields), n, key)
		return
	}
	s.Path = new(scalar.Text)
	d.Scalar(s.Path, n, key)
}

func (s *pollSyntax) Node() *tree.Node {
	fields := s.pollFields
	path := locationWord
	if fields.Path != nil {
		path, fields.Path = string(*fields.Path), nil
	}
	n := bind.NodeOf(bind.ValueOf(&fields))
	n.Entries = slices.Insert(n.Entries, 0, tree.Entry{Key: "path", Value: bind.TextNode(path, false).Unescaped()})
	if len(n.Entries) == 1 {
		return n.Entries[0].Value
	}
	return n
}

func (s *callbackSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	if n.Kind != tree.Scalar {
		d.Fields(bind.ValueOf(&s.callbackFields), n, key)
		return
	}
	s.Listen = new(scalar.Text)
	d.Scalar(s.Listen, n, key)
}

func (s *callbackSyntax) Node() *tree.Node {
	if s.URL == nil && s.Listen != nil {
		return bind.TextNode(string(*s.Listen), false)
	}
	return bind.NodeOf(bind.ValueOf(&s.callbackFields))
}

func (s *place) Parse(text string, _ bool) error {
	from, what, _ := strings.Cut(text, " ")
	if from != string(profiles.FromJSON) && from != string(profiles.FromHeader) && from != string(profiles.FromRegexp) {
		return fmt.Errorf("%s says not where the id is: write json order.id, header X-Order or regexp id=([0-9]+)", spelling.Cite(text))
	}
	*s = place{From: profiles.ExtractFrom(from), What: strings.TrimSpace(what)}
	return nil
}

func (s *place) Format() (string, bool) { return string(s.From) + " " + s.What, false }

func (s *completionSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	type plain completionSyntax // without this method
	d.Fields(bind.ValueOf((*plain)(s)), n, key)
	if n.Kind != tree.Mapping {
		return
	}
	ways := 0
	for _, way := range []string{"poll", "callback", "nats"} {
		if n.Get(way) != nil {
			ways++
		}
	}
	switch {
	case ways == 0:
		d.Problem(n.At, key, "it says not how a completion is learnt: write poll: location, callback: 127.0.0.1:9099 or nats: {url: nats://127.0.0.1:4222, subject: orders.done}")
	case ways > 1:
		d.Problem(n.At, key, "poll, callback and nats are three ways: write one of them")
	}
}

func (s *completionSyntax) Node() *tree.Node {
	type plain completionSyntax
	return bind.NodeOf(bind.ValueOf((*plain)(s)))
}

func (s *completionSyntax) completion() profiles.Completion {
	var c profiles.Completion
	if s == nil {
		return c
	}
	c.Accepted, c.Extract = profiles.StatusSet(bind.Deref(s.Accepted)), bind.Deref(s.Extract)
	c.Done, c.Failed = s.Done.check(), s.Failed.check()
	c.Timeout, c.Drain = time.Duration(bind.Deref(s.Timeout)), time.Duration(bind.Deref(s.Drain))
	switch {
	case s.Poll != nil:
		c.Via = profiles.ViaPoll
		c.Poll = profiles.Poll{
			Path: string(bind.Deref(s.Poll.Path)), URL: string(bind.Deref(s.Poll.URL)), Headers: bind.Deref(s.Poll.Headers),
			Every: time.Duration(bind.Deref(s.Poll.Every)), AtMost: float64(bind.Deref(s.Poll.AtMost)),
		}
		if c.Poll.Path == locationWord {
			c.Poll.Path = ""
		}
	case s.Callback != nil:
		c.Via = profiles.ViaCallback
		c.Callback = profiles.Callback{Listen: string(bind.Deref(s.Callback.Listen)), URL: string(bind.Deref(s.Callback.URL))}
	case s.NATS != nil:
		t := s.NATS
		c.Via = profiles.ViaNATS
		c.Topic = profiles.Topic{
			URL: string(bind.Deref(t.URL)), Subject: string(bind.Deref(t.Subject)), Creds: string(bind.Deref(t.Creds)), CA: string(bind.Deref(t.CA)),
			ID: profiles.Extract(bind.Deref(t.ID)),
		}
	}
	return c
}

func completionOf(c profiles.Completion) *completionSyntax {
	if !c.Given() {
		return nil
	}
	s := &completionSyntax{
		Done: checkOf(c.Done), Failed: checkOf(c.Failed),
		Timeout: bind.Given(scalar.Timeout(c.Timeout)), Drain: bind.Given(scalar.Timeout(c.Drain)),
	}
	if c.Accepted != nil {
		accepted := scalar.Statuses(c.Accepted)
		s.Accepted = &accepted
	}
	if len(c.Extract) > 0 {
		list := extracts(c.Extract)
		s.Extract = &list
	}
	switch c.Via {
	case profiles.ViaPoll:
		s.Poll = &pollSyntax{pollFields{
			Path: bind.Given(scalar.Text(c.Poll.Path)), URL: bind.Given(scalar.Text(c.Poll.URL)),
			Every: bind.Given(scalar.Duration(c.Poll.Every)), AtMost: bind.Given(scalar.Rate(c.Poll.AtMost)),
		}}
		if len(c.Poll.Headers) > 0 {
			list := scalar.Headers(c.Poll.Headers)
			s.Poll.Headers = &list
		}
	case profiles.ViaCallback:
		s.Callback = &callbackSyntax{callbackFields{Listen: bind.Given(scalar.Text(c.Callback.Listen)), URL: bind.Given(scalar.Text(c.Callback.URL))}}
	case profiles.ViaNATS:
		s.NATS = &topicSyntax{
			URL: bind.Given(scalar.Text(c.Topic.URL)), Subject: bind.Given(scalar.Text(c.Topic.Subject)),
			Creds: bind.Given(scalar.Text(c.Topic.Creds)), CA: bind.Given(scalar.Text(c.Topic.CA)), ID: bind.Given(place(c.Topic.ID)),
		}
	}
	return s
}
