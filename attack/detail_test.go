package attack

import (
	"errors"
	"testing"
)

// TestHTTPStatus: every status of gRPC but ok is one of HTTP that is an error.
func TestHTTPStatus(t *testing.T) {
	for code := range uint32(20) {
		got := GRPCCode(code).HTTPStatus()
		if (code == 0) != (got == 200) || code > 0 && (got < 400 || got > 599) {
			t.Errorf("%s: %d", GRPCCode(code), got)
		}
	}
	for want, code := range map[uint16]uint32{429: 8, 503: 14, 504: 4, 401: 16, 403: 7, 404: 5, 500: 13} {
		if got := GRPCCode(code).HTTPStatus(); got != want {
			t.Errorf("%s: %d, want %d", GRPCCode(code), got, want)
		}
	}
	if got := HTTP2Code(8).HTTPStatus(); got != 0 {
		t.Errorf("an HTTP/2 code: %d", got)
	}
}

// TestGoAway: a GOAWAY tells its reason where the peer gives one that is known.
func TestGoAway(t *testing.T) {
	for reason, want := range map[string]string{
		"": "http2 no-error", "max_age": "http2 max-age", "max_idle": "http2 max-idle", "too_many_pings": "http2 too-many-pings", "bye": "http2 no-error",
	} {
		d := GoAway(0, reason)
		if d.String() != want {
			t.Errorf("%q: %q, want %q", reason, d, want)
		}
	}
	if d := HTTP2Code(99).String(); d != "http2 unknown-code" {
		t.Error(d)
	}
}

func TestDetailNames(t *testing.T) {
	seen := map[string]Detail{}
	for kind := NoDetail; kind < detailKinds; kind++ {
		for code := range 1 << 16 {
			d := Detail{kind, uint16(code)}
			if !d.valid() {
				continue
			}
			text := d.String()
			if other, twice := seen[text]; twice {
				t.Fatalf("%#v and %#v are both %q", d, other, text)
			}
			seen[text] = d
		}
	}
	for text, want := range map[string]Detail{
		"certificate expired":   {CertificateDetail, CertificateExpired},
		"dns nxdomain":          {DNSDetail, DNSNotFound},
		"tls-alert unknown-ca":  Alert(48),
		"tls-alert 200":         Alert(200),
		"http2 refused-stream":  HTTP2Code(7),
		"http2 unknown-code":    HTTP2Code(1 << 31),
		"grpc unavailable":      GRPCCode(14),
		"websocket 1006":        CloseCode(1006),
		"websocket 4000":        CloseCode(4321),
		"malformed status-line": {MalformedDetail, MalformedStatusLine},
		"malformed flood":       {MalformedDetail, Flooded},
		"server slow-consumer":  {ServerDetail, ServerSlowConsumer},
	} {
		if got := seen[text]; got != want {
			t.Errorf("%q is of %#v, want %#v", text, got, want)
		}
	}
	for _, text := range []string{"certificate", "certificate ", "certificate 2", "tls-alert 40", "tls-alert 999", "nonsense x", "websocket 5000", "content 0", "content 100", "content x", " "} {
		if d, ok := seen[text]; ok {
			t.Errorf("%q is of %#v", text, d)
		}
	}
}

// TestDetailsAreFew: a hostile peer must not make the number of details grow.
func TestDetailsAreFew(t *testing.T) {
	few := map[Detail]bool{}
	for code := range uint32(1 << 17) {
		few[HTTP2Code(code)], few[GRPCCode(code)] = true, true
		few[CloseCode(uint16(code))], few[Alert(uint8(code))] = true, true
	}
	if len(few) > 350 {
		t.Errorf("%d details", len(few))
	}
}

func TestDetailOfRecords(t *testing.T) {
	expired := Detail{CertificateDetail, CertificateExpired}
	w := Window{Cells: []Cell{{Fault: TLS, Detail: expired, Phase: PhaseTLS, Attempts: 3}, {Fault: Reset, Attempts: 1}}}
	got, err := DecodeWindow(AppendWindow(nil, w))
	if err != nil || got.Cells[0].Detail != expired || !got.Cells[1].Detail.IsZero() {
		t.Errorf("%+v, %v", got.Cells, err)
	}
	f := Failure{Attempt{Fault: TLS, Detail: expired, Endpoint: 1 << 20}}
	back, err := DecodeFailure(AppendFailure(nil, f))
	if err != nil || back != f {
		t.Errorf("%+v, %v", back, err)
	}
	b := AppendFailure(nil, f)
	b[len(b)-3] = 100 // no such code; the bytes sent and received follow
	if _, err := DecodeFailure(b); !errors.Is(err, ErrMalformed) {
		t.Errorf("an unknown detail: %v", err)
	}
	said := Failure{Attempt{Fault: Status, Detail: Content(2), Answer: &Answer{Declared: -1, Body: "{}", Why: "check json id: there is none"}}}
	back, err = DecodeFailure(AppendFailure(nil, said))
	if err != nil || back.Detail != said.Detail || back.Answer.Why != said.Answer.Why {
		t.Errorf("%+v, %v", back, err)
	}
	said.Answer.Why = ""
	older := AppendFailure(nil, said)
	older = older[:len(older)-1] // version 5 has no reason
	older[0] = 5
	if back, err = DecodeFailure(older); err != nil || back.Answer.Body != "{}" {
		t.Errorf("an older record: %+v, %v", back, err)
	}
	b[0] = codecVersion + 1
	if _, err := DecodeFailure(b); !errors.Is(err, ErrVersion) {
		t.Errorf("a newer record: %v", err)
	}
}

// What of a step's answer failed has the step's own name for it, where that is known.
func TestContent(t *testing.T) {
	names := []string{"check json id", "extract token: json t"}
	for index, want := range []string{"check json id", "extract token: json t", "content 3"} {
		if got := Content(index).Told(names); got != want {
			t.Errorf("%d: %q, want %q", index, got, want)
		}
	}
	if got := Content(1 << 20); got != Content(98) {
		t.Errorf("a number of details without bound: %v", got)
	}
	if got := GRPCCode(1).Told(names); got != "grpc cancelled" {
		t.Errorf("another detail is told as %q", got)
	}
}
