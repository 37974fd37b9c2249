package traces

import (
	"strings"
	"testing"
	"time"
	"unicode"
)

func TestDeepest(t *testing.T) {
	at := time.Unix(1_764_400_000, 0)
	span := func(id, parent, service string, kind Kind, text string) Span {
		return Span{ID: id, Parent: parent, Service: service, Name: "op " + id, Kind: kind, Start: at, Duration: time.Millisecond, Failed: text != "", Text: strings.TrimPrefix(text, "-")}
	}
	peer := func(s Span, peer string) Span { s.Peer = peer; return s }
	for _, tt := range []struct {
		name     string
		spans    []Span
		want     Failing
		services int
		ok       bool
	}{
		{name: "nothing but the run's own", spans: []Span{span("1", "", "rampload", Client, "reset")}},
		{name: "nothing failed", spans: []Span{span("1", "", "rampload", Client, "reset"), span("2", "1", "a", Server, "")}, services: 1},
		{
			name:     "the callee failed",
			spans:    []Span{span("1", "", "rampload", Client, "status 502"), span("2", "1", "a", Server, "bad gateway"), span("3", "2", "a", Client, "status 500"), span("4", "3", "b", Server, "pool exhausted"), span("5", "4", "b", Internal, "")},
			want:     Failing{Service: "b", From: "a", To: "b", Operation: "op 4", Text: "pool exhausted"},
			services: 2, ok: true,
		},
		{
			name:     "inside the callee, and its callers know why",
			spans:    []Span{span("2", "1", "a", Server, "x"), span("4", "2", "b", Server, "pool exhausted"), span("5", "4", "b", Internal, "-")},
			want:     Failing{Service: "b", From: "a", To: "b", Operation: "op 5", Text: "pool exhausted"},
			services: 2, ok: true,
		},
		{
			name:     "only the caller knows of it",
			spans:    []Span{span("2", "1", "a", Server, "x"), peer(span("3", "2", "a", Client, "connection refused"), "10.0.0.1:80")},
			want:     Failing{Service: "a", From: "a", To: "10.0.0.1:80", Operation: "op 3", Text: "connection refused", Peer: "10.0.0.1:80", Calls: true},
			services: 1, ok: true,
		},
		{
			name:     "the first service failed, and nobody is seen before it",
			spans:    []Span{span("2", "1", "a", Server, "panic")},
			want:     Failing{Service: "a", To: "a", Operation: "op 2", Text: "panic"},
			services: 1, ok: true,
		},
		{
			name:     "both ends share an id",
			spans:    []Span{span("2", "", "a", Server, "x"), span("3", "2", "b", Server, "full"), span("3", "2", "a", Client, "status 503"), span("4", "3", "b", Internal, "")},
			want:     Failing{Service: "b", From: "a", To: "b", Operation: "op 3", Text: "full"},
			services: 2, ok: true,
		},
		{
			name:     "parents in a circle",
			spans:    []Span{span("2", "3", "a", Server, "x"), span("3", "2", "a", Internal, "y"), span("4", "4", "b", Internal, "")},
			want:     Failing{Service: "a", To: "a", Operation: "op 2", Text: "x"},
			services: 2, ok: true,
		},
	} {
		got, services, ok := Deepest(tt.spans, "rampload")
		if !got.Start.IsZero() {
			got.Start = time.Time{}
		}
		if got != tt.want || services != tt.services || ok != tt.ok {
			t.Errorf("%s: got %+v %d %v, want %+v", tt.name, got, services, ok, tt.want)
		}
	}
}

// What services call themselves and say is made safe, whatever it is.
func TestHostileSpans(t *testing.T) {
	spans, err := decodeTempo([]byte(`{"batches":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a\u001b]0;x\u0007` + strings.Repeat("n", 9000) + `"}}]},"scopeSpans":[{"spans":[{"spanId":"\u202e","name":"\u001b[2J","status":{"code":2,"message":"<script>\u0000\u202e"}}]}]}]}`))
	if err != nil || len(spans) != 1 {
		t.Fatal(err)
	}
	f, _, ok := Deepest(spans, "rampload")
	for _, s := range []string{f.Service, f.To, f.Operation, f.Text} {
		if len(s) > maxText || strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) }) {
			t.Errorf("%q", s)
		}
	}
	if !ok || f.Text != "<script>" {
		t.Errorf("got %+v", f)
	}
}

// A trace of a hundred thousand spans in one line costs no more than its bound.
func TestLongTrace(t *testing.T) {
	spans := make([]Span, 100_000)
	for i := range spans {
		spans[i] = Span{ID: string(rune('a' + i)), Parent: string(rune('a' + i - 1)), Service: "a", Failed: true}
	}
	if _, _, ok := Deepest(spans, ""); !ok {
		t.Error("nothing failed")
	}
}

func fuzz(f *testing.F, decode func([]byte) (map[string][]Span, error), seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := decode(body)
		if err != nil {
			return
		}
		for _, spans := range got {
			found, services, ok := Deepest(spans, "rampload")
			if ok && (services == 0 || len(found.Text) > maxText || strings.ContainsRune(found.Service+found.Text+found.Operation+found.Peer, 0x1b)) {
				t.Errorf("%+v", found)
			}
		}
	})
}

func FuzzJaeger(f *testing.F) {
	fuzz(f, decodeJaeger, `{"data":[{"traceID":"1","spans":[{"spanID":"2","tags":[{"key":"error","value":true}],"references":[{"refType":"CHILD_OF","spanID":"2"}],"processID":"p"}],"processes":{"p":{"serviceName":"a"}}}]}`)
}

func FuzzZipkin(f *testing.F) {
	fuzz(f, decodeZipkin, `[[{"traceId":"1","id":"2","kind":"CLIENT","tags":{"error":"x"},"localEndpoint":{"serviceName":"a"},"shared":true}]]`)
}

func FuzzTempo(f *testing.F) {
	fuzz(f, func(b []byte) (map[string][]Span, error) {
		spans, err := decodeTempo(b)
		return map[string][]Span{"": spans}, err
	}, `{"batches":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},"scopeSpans":[{"spans":[{"spanId":"AAAAAAAAAAE=","kind":3,"status":{"code":2}}]}]}]}`)
}
