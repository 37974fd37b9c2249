package yaml

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/schema"
	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/scalar"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// jsonText is a message, written as YAML or as JSON, kept as JSON.
type jsonText string

func (v *jsonText) Decode(d *bind.Decoder, n *tree.Node, key string) {
	switch {
	case n.Kind == tree.Null:
		*v = "{}"
	case n.Kind == tree.Sequence:
		d.Problem(n.At, key, "a message has fields with values: write message: {id: 42}, or a list of messages as messages")
	case n.Kind == tree.Scalar && !strings.HasPrefix(strings.TrimSpace(n.Text), "{"):
		d.Problem(n.At, key, "%s is no message: write its fields, such as message: {id: 42}", spelling.Cite(n.Text))
	case n.Kind == tree.Scalar:
		var t scalar.Text
		d.Scalar(&t, n, key)
		*v = jsonText(t)
	default:
		var b strings.Builder
		writeJSON(d, &b, n, key)
		*v = jsonText(b.String())
	}
}

// writeJSON writes a tree as JSON, with the environment filled in.
func writeJSON(d *bind.Decoder, b *strings.Builder, n *tree.Node, key string) {
	switch n.Kind {
	case tree.Null:
		b.WriteString("null")
	case tree.Scalar:
		var t scalar.Text
		d.Scalar(&t, n, key)
		if n.Plain && !strings.Contains(n.Text, "$") && json.Valid([]byte(t)) { // a number, true, false
			b.WriteString(string(t))
			return
		}
		b.WriteString(quoteJSON(string(t)))
	case tree.Sequence:
		b.WriteByte('[')
		for i, item := range n.Items {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(d, b, item, key)
		}
		b.WriteByte(']')
	case tree.Mapping:
		b.WriteByte('{')
		for i, e := range n.Entries {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(quoteJSON(bind.Escape(e.Key)) + ":")
			writeJSON(d, b, e.Value, e.Key)
		}
		b.WriteByte('}')
	}
}

func quoteJSON(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string into a buffer
	return strings.TrimSuffix(b.String(), "\n")
}

func (v *jsonText) Node() *tree.Node { return bind.TextNode(string(*v), false) }

// isCall reports whether a text is a call such as shop.Orders/Get.
func isCall(text string) bool {
	service, method, ok := strings.Cut(text, "/")
	return ok && isCallName(service, ".") && isCallName(method, "")
}

func isCallName(name, more string) bool {
	return name != "" && strings.IndexFunc(name, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_'
		return !letter && !strings.ContainsRune(more, r)
	}) < 0
}

// calls checks that a request is either a call or one of HTTP.
func (r *requestFields) calls(d *bind.Decoder, n *tree.Node) {
	ofCall := []string{"message", "messages", "metadata", "deadline", "every", "take"}
	if r.Call == nil {
		for _, key := range ofCall {
			if value := n.Get(key); value != nil {
				d.Problem(value.At, key, "it belongs to a call of gRPC: write call: package.Service/Method beside it")
				return
			}
		}
		return
	}
	for _, e := range n.Entries {
		switch e.Key {
		case "method", "path", "headers", "body", "body-file", "form", "multipart", "template", "chunked":
			d.Problem(e.At, "", "%s is of HTTP, and a call has message and metadata: leave it out", e.Key)
			return
		}
	}
	if n.Get("message") != nil && n.Get("messages") != nil {
		d.Problem(n.Get("messages").At, "messages", "the call has message and messages: write one of them")
	}
	if name := string(*r.Call); !isCall(strings.TrimPrefix(name, "/")) {
		d.Problem(n.Get("call").At, "call", "%s is no call: write package.Service/Method, such as shop.Orders/Get", spelling.Cite(name))
	}
}

// call makes the request of a call.
func call(s requestSyntax, r profiles.Request) profiles.Request {
	r.Method, r.Path = "POST", "/"+strings.TrimPrefix(string(*s.Call), "/")
	r.Headers = bind.Deref(s.Metadata)
	c := &profiles.Call{Every: time.Duration(bind.Deref(s.Every)), Take: int(bind.Deref(s.Take)), Deadline: time.Duration(bind.Deref(s.Deadline))}
	if s.Message != nil {
		c.Messages = []string{string(*s.Message)}
	}
	for _, m := range s.Messages {
		c.Messages = append(c.Messages, string(m))
	}
	r.Call = c
	return r
}

// callOf writes the fields of a call.
func callOf(r profiles.Request, q *requestFields) {
	q.Method, q.Path, q.Headers = nil, nil, nil
	q.Call = bind.Given(scalar.Text(strings.TrimPrefix(r.Path, "/")))
	if len(r.Headers) > 0 {
		list := scalar.Headers(r.Headers)
		q.Metadata = &list
	}
	c := r.Call
	q.Every, q.Deadline, q.Take = bind.Given(scalar.Duration(c.Every)), bind.Given(scalar.Duration(c.Deadline)), bind.Given(scalar.Count(c.Take))
	if len(c.Messages) == 1 {
		one := jsonText(c.Messages[0])
		q.Message = &one
		return
	}
	for _, m := range c.Messages {
		q.Messages = append(q.Messages, jsonText(m))
	}
}

// grpcFields are those keys of targets and journeys that are of gRPC.
type grpcFields struct {
	Protos     []scalar.Text
	ProtoPaths []scalar.Text
	KeepAlive  *scalar.Duration
}

// grpcOf writes how a gRPC target is spoken to.
func grpcOf(g profiles.GRPC) (f grpcFields) {
	for _, name := range g.Protos {
		f.Protos = append(f.Protos, scalar.Text(name))
	}
	for _, name := range g.ProtoPaths {
		f.ProtoPaths = append(f.ProtoPaths, scalar.Text(name))
	}
	f.KeepAlive = bind.Given(scalar.Duration(g.KeepAlive))
	return f
}

func (f grpcFields) grpc() profiles.GRPC {
	g := profiles.GRPC{KeepAlive: time.Duration(bind.Deref(f.KeepAlive))}
	for _, name := range f.Protos {
		g.Protos = append(g.Protos, string(name))
	}
	for _, name := range f.ProtoPaths {
		g.ProtoPaths = append(g.ProtoPaths, string(name))
	}
	return g
}

// schemas compiles the .proto files of the profile's targets and journeys, or asks those
// that have none.
func schemas(d *bind.Decoder, p *profiles.Profile, root *tree.Node, check func(path string, name *string), opt Options) {
	read := func(path string, t profiles.Target, g *profiles.GRPC) {
		before := len(d.Problems)
		for i := range g.Protos {
			check(path+".protos."+strconv.Itoa(i), &g.Protos[i])
		}
		for i := range g.ProtoPaths {
			name := &g.ProtoPaths[i]
			if !filepath.IsAbs(*name) {
				*name = filepath.Join(opt.Dir, *name)
			}
			if info, err := os.Stat(*name); err != nil || !info.IsDir() {
				d.Problem(root.Find(path+".proto-paths."+strconv.Itoa(i)), "", "%s is no folder: correct the name, it is relative to %s", spelling.Cite(*name), spelling.Cite(opt.Dir))
			}
		}
		if t.Speaks() != profiles.SpeaksGRPC || len(d.Problems) > before {
			return
		}
		var err error
		switch {
		case len(g.Protos) > 0:
			if g.Schema, err = schema.Compile(g.Protos, g.ProtoPaths); err != nil {
				d.Problem(root.Find(path+".protos"), "", "%s", err)
			}
		case opt.Reflect != nil:
			if g.Schema, err = opt.Reflect(t, p.Client); err != nil {
				d.Problem(root.Find(path+".url"), "", "%s", err)
			}
		}
	}
	for i := range p.Journeys {
		j := &p.Journeys[i]
		t := profiles.Target{Name: j.Name, URL: j.URL, ConnectTo: j.ConnectTo, ServerName: j.ServerName}
		for _, s := range j.Steps {
			t.Requests = append(t.Requests, s.Request)
		}
		read("journeys."+strconv.Itoa(i), t, &j.GRPC)
	}
	for i := range p.Targets {
		if t := &p.Targets[i]; t.Journey == 0 {
			read("targets."+strconv.Itoa(i), *t, &t.GRPC)
		}
	}
}
