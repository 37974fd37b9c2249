package rules

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/schema"
	"github.com/rampload/rampload/profiles/spelling"
)

// callRules checks calls of gRPC.
type callRules struct{ *validator }

// grpc checks how a gRPC target is spoken to.
func (v callRules) grpc(path string, t profiles.Target) {
	switch g := t.GRPC; {
	case t.Speaks() == profiles.SpeaksGRPC:
		if g.KeepAlive < 0 {
			v.add(path+".keep-alive", "a time below 0s cannot be: write one such as 30s, or leave it out")
		}
		if len(g.ProtoPaths) > 0 && len(g.Protos) == 0 {
			v.add(path+".proto-paths", "there are no protos to find imports for: write protos: [orders.proto], or leave it out")
		}
	case len(g.Protos) > 0:
		v.add(path+".protos", ".proto files are of gRPC: write a url such as grpc://127.0.0.1:50051, or leave them out")
	case len(g.ProtoPaths) > 0:
		v.add(path+".proto-paths", ".proto files are of gRPC: write a url such as grpc://127.0.0.1:50051, or leave them out")
	case g.KeepAlive != 0:
		v.add(path+".keep-alive", "it is of gRPC and of WebSocket: write a url such as grpc://127.0.0.1:50051 or ws://127.0.0.1:8080, or leave it out")
	}
}

// grpcStatus checks a status that a gRPC target is expected to answer.
func (v callRules) grpcStatus(path string, r profiles.StatusRange) {
	if last := len(profiles.GRPCStatuses()) - 1; r.Low < 0 || r.High > last || r.Low > r.High {
		v.add(path, "%d is not a status of gRPC: write names such as ok, or [ok, not-found]", r.High)
	}
}

// calls checks the calls of a target against its schema, where that is known.
func (v callRules) calls(path string, t profiles.Target) {
	of := t.Speaks()
	if of != profiles.SpeaksGRPC {
		for i, r := range t.Requests {
			if r.Call != nil {
				v.add(at(path, i)+".call", "a call is of gRPC: write a url such as grpc://127.0.0.1:50051, or a request such as GET /orders/42")
			}
		}
		return
	}
	var known *schema.Schema
	if len(t.GRPC.Schema) > 0 {
		var err error
		if known, err = schema.Parse(t.GRPC.Schema); err != nil {
			v.add(path, "%s: give other protos", err)
			return
		}
	}
	for i, r := range t.Requests {
		where := at(path, i)
		if r.Call == nil {
			v.add(where, "a gRPC target is sent calls: write %s", exampleCall(known))
			continue
		}
		if r.Call.Deadline < 0 || r.Call.Every < 0 {
			v.add(where, "a time below 0s cannot be: write one such as 200ms")
		}
		if known != nil {
			v.call(where, r, known)
		}
	}
}

// exampleCall is a call as a profile has it, of the target's own where they are known.
func exampleCall(s *schema.Schema) string {
	if s != nil {
		if calls := s.Calls(); len(calls) > 0 {
			const most = 6
			list := strings.Join(calls[:min(len(calls), most)], ", ")
			if len(calls) > most {
				list += ", ..."
			}
			return fmt.Sprintf("{call: %s, message: {...}}; there are %s", calls[0], list)
		}
	}
	return "{call: shop.Orders/Get, message: {id: 42}}"
}

// call checks one call.
func (v callRules) call(path string, r profiles.Request, known *schema.Schema) {
	m, err := known.Method(r.Path)
	if err != nil {
		v.add(path+".call", "%s", err)
		return
	}
	c := r.Call
	switch n := len(c.Messages); {
	case n > 1 && !m.IsStreamingClient():
		v.add(path+".messages", "%s takes one message: write message instead", r.Label())
	case c.Every > 0 && !m.IsStreamingClient():
		v.add(path+".every", "%s takes one message: leave it out", r.Label())
	case c.Take > 0 && !m.IsStreamingServer():
		v.add(path+".take", "%s answers with one message: leave it out", r.Label())
	}
	for i, text := range c.Messages {
		where := messagePath(path, r, i)
		encoded, problems := m.Encode(text, r.Filled)
		for _, p := range problems {
			v.add(strings.TrimSuffix(where+"."+p.Path, "."), "%s", p.Message)
		}
		if len(problems) == 0 {
			encoded.Leaves(func(l *schema.Leaf) { v.leaf(where, l) })
		}
	}
}

// leaf checks that every row of a table has a value of the field that it fills in.
func (v callRules) leaf(path string, l *schema.Leaf) {
	if len(l.Pieces) != 1 || l.Pieces[0].Literal() {
		return
	}
	ref := l.Pieces[0].Ref
	for _, t := range v.profile.Data {
		if t.Name != ref.Source {
			continue
		}
		for column, name := range t.Columns {
			if ref.String() != t.Name+"."+name {
				continue
			}
			for i, row := range t.Rows {
				if column >= len(row) {
					break
				}
				if err := l.Check(row[column]); err != nil {
					v.add(path, "${%s}: %s, row %d: %s: correct the row", ref, t.File, i+1, err)
					return
				}
			}
		}
	}
}

// metadata checks the names and values that go with a call.
func (v callRules) metadata(path string, r profiles.Request) {
	for i, h := range r.Headers {
		where := at(path, i)
		switch name := strings.ToLower(h.Name); {
		case strings.HasPrefix(name, "grpc-"), name == "te", name == "content-type", strings.HasPrefix(name, ":"):
			v.add(where, "%s is set by the client: leave it out", spelling.Cite(h.Name))
		case name == "content-length", name == "transfer-encoding", name == "expect", name == "connection", name == "host":
			v.add(where, "%s is no metadata: leave it out", spelling.Cite(h.Name))
		default:
			requestRules(v).header(where, h)
		}
	}
}

// messagePath leads to a message of a call.
func messagePath(path string, r profiles.Request, i int) string {
	if len(r.Call.Messages) == 1 {
		return path + ".message"
	}
	return path + ".messages." + strconv.Itoa(i)
}
