// Package otlp hands telemetry to a collector: messages of OpenTelemetry's protocol over
// HTTP and over gRPC, and any other body over HTTP. It knows no span and no metric, keeps
// nothing, and waits for nobody longer than it is told: queues and retries are the
// caller's.
//
// gRPC's unary call is spoken over net/http's HTTP/2: one POST, one message each way, and
// the status in the trailers (gRPC over HTTP2, "Requests"). That keeps a whole RPC library
// out of the program.
package otlp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Signal is a kind of telemetry: where a collector takes it.
type Signal struct {
	Path   string // over HTTP, below the collector's URL
	Method string // over gRPC
}

// The signals (OTLP specification 1.7, "OTLP/HTTP Request" and the service definitions).
var (
	Traces  = Signal{"/v1/traces", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"}
	Metrics = Signal{"/v1/metrics", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"}
)

// Protocol is how a message is carried.
type Protocol string

// The protocols.
const (
	HTTP Protocol = "http" // protobuf in a POST
	GRPC Protocol = "grpc"
)

// Config is a collector. URL is required.
type Config struct {
	URL      string // http or https. Without a path, that of the signal is added
	Protocol Protocol
	Signal   Signal
	Headers  map[string]string // such as Authorization; metadata of gRPC
	Timeout  time.Duration     // of one message; 0: 5 s
	Agent    string            // the User-Agent
	TLS      *tls.Config       // nil: as the system has it
	Plain    bool              // bodies go as they are: none is compressed
}

const defaultTimeout = 5 * time.Second

// Sender hands messages of one signal to one collector. It is safe for concurrent use.
type Sender struct {
	cfg    Config
	url    string
	client *http.Client
}

// New makes a sender; it opens no connection. An error is one of the configuration.
func New(cfg Config) (*Sender, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is not the URL of a collector: write such as http://collector:4318", cfg.URL)
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	switch {
	case cfg.Protocol == GRPC:
		u.Path = strings.TrimSuffix(u.Path, "/") + cfg.Signal.Method
	case u.Path == "" || u.Path == "/":
		u.Path = cfg.Signal.Path
	}
	t := &http.Transport{
		MaxIdleConnsPerHost: 2, MaxConnsPerHost: 4, IdleConnTimeout: 30 * time.Second,
		TLSHandshakeTimeout: cfg.Timeout, DisableCompression: true, TLSClientConfig: cfg.TLS, ForceAttemptHTTP2: true,
	}
	if cfg.Protocol == GRPC {
		t.Protocols = new(http.Protocols)
		t.Protocols.SetHTTP2(true)
		t.Protocols.SetUnencryptedHTTP2(true)
	}
	user := u.User
	u.User = nil
	s := &Sender{cfg: cfg, url: u.String(), client: &http.Client{
		Transport: t, Timeout: cfg.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if user != nil {
		password, _ := user.Password()
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth(user.Username(), password)
		headers := map[string]string{"Authorization": r.Header.Get("Authorization")}
		for k, v := range cfg.Headers {
			headers[k] = v
		}
		s.cfg.Headers = headers
	}
	return s, nil
}

// Close closes the idle connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Send hands over a message of the signal: of the layout of Export...ServiceRequest, which
// TracesData and MetricsData have. An error is a *[Refused] where the collector answered
// with one, or was told in part (Part).
func (s *Sender) Send(ctx context.Context, m proto.Message) error {
	body, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode the message: %w", err)
	}
	var answer []byte
	if s.cfg.Protocol == GRPC {
		answer, err = s.call(ctx, body)
	} else {
		answer, err = s.post(ctx, "application/x-protobuf", body)
	}
	if err != nil {
		return err
	}
	if n, text := partial(answer); n > 0 {
		return &Refused{Text: text, Part: n}
	}
	return nil
}

// Post hands over any body by HTTP, as it is.
func (s *Sender) Post(ctx context.Context, contentType string, body []byte) error {
	_, err := s.post(ctx, contentType, body)
	return err
}

// Refused is what a collector answers that does not take a message, or takes a part of it.
type Refused struct {
	Status int           // of HTTP; 0: gRPC's Code
	Code   int           // of gRPC
	Text   string        // what it says, cleaned; may be empty
	Again  bool          // it may take the same message later
	After  time.Duration // it asks to wait for so long; 0: it does not say
	Part   int64         // entries that it did not take, of a message that it took
}

// Error says what was answered.
func (r *Refused) Error() string {
	text := ""
	if r.Text != "" {
		text = ": " + r.Text
	}
	switch {
	case r.Part > 0:
		return fmt.Sprintf("it refused %d of them%s", r.Part, text)
	case r.Status != 0:
		return fmt.Sprintf("it answers %d%s", r.Status, text)
	}
	return fmt.Sprintf("it answers %s%s", codeName(r.Code), text)
}

// reason leaves out of an error of net/http what the reader knows: the URL, with what may
// stand in it.
func reason(err error) error {
	var shown *url.Error
	if errors.As(err, &shown) {
		err = shown.Err
	}
	return err
}

// partial reads the answer to a message: field 1 is a partial success, with the number of
// entries that were refused (1) and why (2), for every signal alike.
func partial(answer []byte) (refused int64, text string) {
	inner, ok := field(answer, 1)
	if !ok {
		return 0, ""
	}
	for len(inner) > 0 {
		num, kind, n := protowire.ConsumeTag(inner)
		if n < 0 {
			return refused, text
		}
		inner = inner[n:]
		switch {
		case num == 1 && kind == protowire.VarintType:
			v, m := protowire.ConsumeVarint(inner)
			if m < 0 {
				return refused, text
			}
			refused, n = int64(v), m
		case num == 2 && kind == protowire.BytesType:
			v, m := protowire.ConsumeBytes(inner)
			if m < 0 {
				return refused, text
			}
			text, n = Clean(string(v), 160), m
		default:
			if n = protowire.ConsumeFieldValue(num, kind, inner); n < 0 {
				return refused, text
			}
		}
		inner = inner[n:]
	}
	return refused, text
}

func field(b []byte, want protowire.Number) ([]byte, bool) {
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, false
		}
		b = b[n:]
		if num == want && kind == protowire.BytesType {
			v, m := protowire.ConsumeBytes(b)
			return v, m >= 0
		}
		if n = protowire.ConsumeFieldValue(num, kind, b); n < 0 {
			return nil, false
		}
		b = b[n:]
	}
	return nil, false
}

// Clean makes a text of another program safe to print: one line, no control characters,
// at most so many bytes.
func Clean(s string, most int) string {
	s = strings.ToValidUTF8(s[:min(len(s), 4*most)], "")
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' {
			return ' '
		}
		if !strconv.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
