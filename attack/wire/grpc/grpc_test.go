package grpc_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	xgrpc "google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fault"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/grpc"
	"github.com/rampload/rampload/attack/wire/grpc/grpctest"
	"github.com/rampload/rampload/attack/wire/wiretest"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/schema"
)

func orders(t testing.TB) []byte {
	t.Helper()
	const dir = "../../../profiles/schema/testdata"
	set, err := schema.Compile([]string{dir + "/shop/orders.proto"}, []string{dir})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func request(call string, messages ...string) profiles.Request {
	return profiles.Request{Method: "POST", Path: "/" + call, Call: &profiles.Call{Messages: messages}, Weight: 1}
}

// TestProtocol holds gRPC to what every protocol has to hold.
func TestProtocol(t *testing.T) {
	set := orders(t)
	wiretest.Run(t, wiretest.Subject{
		Protocol: grpc.New, Secure: true, Shared: true,
		Target: func(addr string, secure bool) profiles.Target {
			scheme := "grpc://"
			if secure {
				scheme = "grpcs://"
			}
			return profiles.Target{
				URL: scheme + addr, GRPC: profiles.GRPC{Schema: set}, Requests: []profiles.Request{request("shop.Orders/Get", `{"id": 7}`)},
			}
		},
		Inject: func(o *fault.InjectorOptions) { o.HTTP2, o.GRPC = true, true },
		Places: []fault.Place{fault.OnAccept, fault.BeforeResponseFresh, fault.InBody, fault.Idle, fault.AfterFIN, fault.AfterResponse},
	})
}

// serve starts a server and a client of it.
func serve(t *testing.T, set func(*wire.Config), handle func(grpctest.Stream) error, opts ...xgrpc.ServerOption) *wire.Transport {
	t.Helper()
	schema := orders(t)
	server, err := grpctest.New(schema, grpctest.V1, handle, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	addr, err := grpctest.Start(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	cfg := wire.Config{
		Profile: profiles.Target{URL: "grpc://" + addr, GRPC: profiles.GRPC{Schema: schema}}, Exchange: grpc.New,
		Client: profiles.Client{Connections: 1, Timeout: wiretest.Patience},
	}
	if set != nil {
		set(&cfg)
	}
	tr, err := wire.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

func do(t *testing.T, tr *wire.Transport, r profiles.Request) attack.Attempt {
	t.Helper()
	compiled, err := tr.Compile(r)
	if err != nil {
		t.Fatal(err)
	}
	a := attack.Attempt{Reply: &attack.Reply{Limit: 1 << 20}}
	tr.Do(compiled, &a)
	return a
}

// echo answers with the numbers of the client's messages: one for each, or their sum.
func echo(s grpctest.Stream) error {
	sum := int64(0)
	for {
		m, err := s.Receive()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		id := m.Get(m.Descriptor().Fields().ByName("id")).Int()
		sum += id
		if s.Method.IsStreamingServer() && s.Method.IsStreamingClient() {
			if err := answer(s, id); err != nil {
				return err
			}
		}
	}
	switch {
	case s.Method.IsStreamingServer() && s.Method.IsStreamingClient():
		return nil
	case s.Method.IsStreamingServer():
		for i := range sum {
			if err := answer(s, i); err != nil {
				return err
			}
		}
		return nil
	}
	return answer(s, sum)
}

func answer(s grpctest.Stream, id int64) error {
	return s.Answer(func(m *dynamicpb.Message) {
		m.Set(m.Descriptor().Fields().ByName("id"), protoreflect.ValueOfInt64(id))
	})
}

// TestCalls makes every kind of call to a real server.
func TestCalls(t *testing.T) {
	tr := serve(t, nil, echo)
	long := strings.Repeat("x", 300<<10)
	for name, c := range map[string]struct {
		r       profiles.Request
		answers int
		last    string
	}{
		"unary":            {request("shop.Orders/Get", `{"id": 7}`), 1, `"id":"7"`},
		"nothing to say":   {request("shop.Orders/Get"), 1, `"id":"0"`},
		"a large message":  {request("shop.Orders/Get", `{"id": 7, "customer": {"name": "`+long+`"}}`), 1, `"id":"7"`},
		"server streams":   {request("shop.Orders/Watch", `{"id": 5}`), 5, `"id":"4"`},
		"a stream of none": {request("shop.Orders/Watch", `{}`), 0, ``},
		"client streams":   {request("shop.Orders/Upload", `{"id": 1}`, `{"id": 2}`, `{"id": 3}`), 1, `"id":"6"`},
		"client is silent": {request("shop.Orders/Upload"), 1, `"id":"0"`},
		"both stream":      {request("shop.Orders/Chat", `{"id": 1}`, `{"id": 2}`), 2, `"id":"2"`},
		"with pauses":      {profiles.Request{Path: "/shop.Orders/Chat", Call: &profiles.Call{Messages: []string{`{"id": 1}`, `{"id": 2}`, `{}`}, Every: 5 * time.Millisecond}}, 3, `"id":"0"`},
		"enough":           {profiles.Request{Path: "/shop.Orders/Watch", Call: &profiles.Call{Messages: []string{`{"id": 1000000}`}, Take: 3}}, 3, `"id":"2"`},
	} {
		t.Run(name, func(t *testing.T) {
			a := do(t, tr, c.r)
			if a.Fault != attack.None || a.Phase != attack.PhaseDone || a.Status != 200 || a.Sent == 0 {
				t.Fatalf("ended in %v %q in %v, status %d", a.Fault, a.Detail, a.Phase, a.Status)
			}
			lines := strings.Split(string(a.Reply.Body), "\n")
			if c.answers == 0 && len(a.Reply.Body) > 0 || c.answers > 0 && len(lines) != c.answers || !strings.Contains(lines[len(lines)-1], c.last) {
				t.Errorf("answered %q, want %d with %s at the end", a.Reply.Body, c.answers, c.last)
			}
		})
	}
	if s := tr.Stats(); s.Dials != 1 {
		t.Errorf("%d connections, want 1", s.Dials)
	}
}

// TestStatuses: a status is a failure or not, as the target says, with its number as
// detail and its words as evidence.
func TestStatuses(t *testing.T) {
	handle := func(s grpctest.Stream) error {
		m, err := s.Receive()
		if err != nil {
			return err
		}
		code := codes.Code(m.Get(m.Descriptor().Fields().ByName("id")).Int())
		if code == 0 {
			return answer(s, 0)
		}
		return status.Error(code, "no: 100% fällig")
	}
	tr := serve(t, func(c *wire.Config) { c.Profile.Expect = profiles.StatusSet{{}, {Low: 5, High: 5}} }, handle)
	for code := codes.OK; code <= codes.Unauthenticated; code++ {
		a := do(t, tr, request("shop.Orders/Get", `{"id": `+strconv.Itoa(int(code))+`}`))
		if code == codes.OK || code == codes.NotFound {
			if a.Fault != attack.None {
				t.Errorf("%v: ended in %v %q", code, a.Fault, a.Detail)
			}
			continue
		}
		if a.Fault != attack.Status || a.Detail != attack.GRPCCode(uint32(code)) || a.Phase != attack.PhaseDone {
			t.Errorf("%v: ended in %v %q in %v", code, a.Fault, a.Detail, a.Phase)
		}
		if a.Answer == nil || a.Answer.Body != "no: 100% fällig" || a.Answer.Header("grpc-status") != profiles.GRPCStatusName(int(code)) {
			t.Errorf("%v: answer %+v", code, a.Answer)
		}
	}
}

// TestMetadata: what goes along, filled in, and how long the server has.
func TestMetadata(t *testing.T) {
	type heard struct {
		metadata metadata.MD
		left     time.Duration
	}
	calls := make(chan heard, 2)
	handle := func(s grpctest.Stream) error {
		m, _ := metadata.FromIncomingContext(s.Context())
		at, _ := s.Context().Deadline()
		calls <- heard{m, time.Until(at)}
		return echo(s)
	}
	table := profiles.Table{Name: "users", Columns: []string{"id", "name"}, Rows: [][]string{{"7", "anna"}, {"8", "b\"ea"}}}
	tr := serve(t, func(c *wire.Config) {
		c.Data, c.Profile.URL = []profiles.Table{table}, strings.Replace(c.Profile.URL, "//", "//user:secret@", 1)
	}, handle)
	r := request("shop.Orders/Get", `{"id": "${users.id}", "customer": {"name": "${users.name}"}}`)
	r.Filled, r.Call.Deadline = true, 3*time.Second
	r.Headers = []profiles.Header{{Name: "X-Tenant", Value: "t-${users.id}"}, {Name: "x-tenant", Value: "b"}}
	compiled, err := tr.Compile(r)
	if err != nil {
		t.Fatal(err)
	}
	var call heard
	for row, want := range []string{"7", "8"} {
		a := attack.Attempt{Request: 5, Reply: &attack.Reply{Limit: 1000}, Fill: &attack.Fill{Rows: []int{row}}}
		tr.Do(compiled, &a)
		if a.Fault != attack.None || !strings.Contains(string(a.Reply.Body), `"id":"`+want+`"`) {
			t.Fatalf("%v %q: %s", a.Fault, a.Detail, a.Reply.Body)
		}
		call = <-calls
		if v := call.metadata.Get("x-tenant"); len(v) != 2 || v[0] != "t-"+want || v[1] != "b" {
			t.Errorf("x-tenant %q", v)
		}
	}
	if call.left > 3*time.Second || call.left < 100*time.Millisecond {
		t.Errorf("the server has %v, want 3s", call.left)
	}
	for name, want := range map[string]string{
		"x-transaction-id": "0000000000000000-0000000000000005", "authorization": "Basic dXNlcjpzZWNyZXQ=", "user-agent": wire.UserAgent,
	} {
		if v := call.metadata.Get(name); len(v) != 1 || v[0] != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
}

// TestDeadlines: a call ends at its own deadline, or at the time limit of the attempt,
// whether the server keeps to it or not.
func TestDeadlines(t *testing.T) {
	wait := func(s grpctest.Stream) error {
		if _, err := s.Receive(); err != nil {
			return err
		}
		<-s.Context().Done()
		return status.FromContextError(s.Context().Err()).Err()
	}
	tr := serve(t, nil, wait)
	r := request("shop.Orders/Get", "{}")
	r.Call.Deadline = 30 * time.Millisecond
	if a := do(t, tr, r); a.Fault != attack.Timeout || a.Phase != attack.PhaseAwait {
		t.Errorf("ended in %v %q", a.Fault, a.Detail)
	}
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	tr = serve(t, func(c *wire.Config) { c.Client.Timeout = 100 * time.Millisecond }, func(s grpctest.Stream) error {
		<-hang
		return nil
	})
	r.Call.Deadline = time.Minute
	if a := do(t, tr, r); a.Fault != attack.Timeout || a.Phase != attack.PhaseAwait {
		t.Errorf("ended in %v %q in %v", a.Fault, a.Detail, a.Phase)
	}
}

// TestReflection reads schemas of servers of both versions, and says of others why not.
func TestReflection(t *testing.T) {
	want := orders(t)
	for _, version := range []grpctest.Reflection{grpctest.V1, grpctest.V1Alpha, grpctest.None} {
		server, err := grpctest.New(want, version, echo)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Stop()
		addr, err := grpctest.Start(t.Context(), server)
		if err != nil {
			t.Fatal(err)
		}
		set, err := grpc.Reflect(t.Context(), config(addr))
		if version == grpctest.None {
			if !errors.Is(err, grpc.ErrNoReflection) {
				t.Errorf("without reflection: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := schema.Parse(set)
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.Method("shop.Orders/Get")
		if err != nil {
			t.Fatal(err)
		}
		if _, problems := m.Encode(`{"id": 1, "at": "2026-11-29T17:00:00Z", "price_paid": {"units": 1}, "extra": {"a": 1}}`, false); len(problems) > 0 {
			t.Error(problems)
		}
		if got := s.Services(); len(got) != 1 || got[0] != "shop.Orders" {
			t.Errorf("services %q", got)
		}
	}
	var no *grpc.Unanswered
	if _, err := grpc.Reflect(t.Context(), config("127.0.0.1:1")); !errors.As(err, &no) || no.Attempt.Fault != attack.Refused {
		t.Errorf("nobody listens: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := grpc.Reflect(ctx, config("127.0.0.1:1")); err == nil {
		t.Error("a context that is over was not heeded")
	}
}

// TestSpeaks: a server that has no health service has answered, one of HTTP alone has not.
func TestSpeaks(t *testing.T) {
	server, err := grpctest.New(orders(t), grpctest.None, echo)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	addr, err := grpctest.Start(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	if err := grpc.Speaks(t.Context(), config(addr)); err != nil {
		t.Errorf("a gRPC server: %v", err)
	}
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	web := httptest.NewUnstartedServer(http.NotFoundHandler())
	web.Config.Protocols = &protocols
	web.Start()
	defer web.Close()
	var no *grpc.Unanswered
	if err := grpc.Speaks(t.Context(), config(web.Listener.Addr().String())); !errors.As(err, &no) || no.Attempt.Fault != attack.Status || no.Attempt.Status != 404 {
		t.Errorf("a web server: %v", err)
	}
	if err := grpc.Speaks(t.Context(), config("127.0.0.1:1")); !errors.As(err, &no) || no.Attempt.Fault != attack.Refused {
		t.Errorf("nobody listens: %v", err)
	}
}

func config(addr string) attack.ClientConfig {
	start := time.Now()
	return attack.ClientConfig{
		Profile: profiles.Target{URL: "grpc://" + addr}, Client: profiles.Client{Connections: 1, Timeout: wiretest.Patience},
		Clock: func() time.Duration { return time.Since(start) },
	}
}

// TestCompileErrors says what of a call cannot be sent.
func TestCompileErrors(t *testing.T) {
	tr := serve(t, nil, echo)
	for want, r := range map[string]profiles.Request{
		"it is no call":         {Path: "/shop.Orders/Get"},
		"no method":             request("shop.Orders/Gte", "{}"),
		"takes one message":     request("shop.Orders/Get", "{}", "{}"),
		"has no field":          request("shop.Orders/Get", `{"nmae": 1}`),
		"there is nothing of":   {Path: "/shop.Orders/Get", Filled: true, Call: &profiles.Call{Messages: []string{`{"id": "${users.id}"}`}}},
		"character that is not": {Path: "/shop.Orders/Get", Headers: []profiles.Header{{Name: "a b", Value: "c"}}, Call: &profiles.Call{}},
	} {
		if _, err := tr.Compile(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
