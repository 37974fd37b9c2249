package grpc

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/classify"
)

// TestTimeouts: at most eight digits, and never more than there is.
func TestTimeouts(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0u", 0: "0u", 1500 * time.Nanosecond: "1u", 5 * time.Second: "5000000u", 200 * time.Second: "200000m",
		48 * time.Hour: "172800S", 99_999_999 * time.Second: "99999999S", 200_000_000 * time.Second: "3333333M",
	} {
		got := string(appendTimeout(nil, d))
		if got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestPercent(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "plain": "plain", "100%25 f%C3%A4llig": "100% fällig", "%": "%", "%4": "%4", "%zz": "%zz", "a%0Ab": "a\nb",
	} {
		if got := decodePercent(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestVerdicts judges answers that are complete.
func TestVerdicts(t *testing.T) {
	good := []hpack.HeaderField{{Name: "content-type", Value: "application/grpc+proto"}}
	status := func(v string) []hpack.HeaderField { return []hpack.HeaderField{{Name: "grpc-status", Value: v}} }
	message := []byte{0, 0, 0, 0, 2, 8, 7}
	for name, c := range map[string]struct {
		http     int
		head     []hpack.HeaderField
		data     []byte
		trailers []hpack.HeaderField
		code     int
		detail   string
	}{
		"one":                       {200, good, message, status("0"), 0, ""},
		"a failure":                 {200, good, nil, status("14"), 14, ""},
		"a failure behind data":     {200, good, message, status("13"), 13, ""},
		"trailers only":             {200, append(status("5"), good...), nil, nil, 5, ""},
		"a proxy":                   {503, []hpack.HeaderField{{Name: "content-type", Value: "text/html"}}, nil, nil, noStatus, ""},
		"a proxy that speaks gRPC":  {503, append(status("14"), good...), nil, nil, 14, ""},
		"another service":           {200, []hpack.HeaderField{{Name: "content-type", Value: "text/html"}}, nil, nil, 0, "malformed wrong-protocol"},
		"no trailers":               {200, good, message, nil, 0, "malformed trailers"},
		"a status that is none":     {200, good, message, status("ok"), 0, "malformed trailers"},
		"a negative status":         {200, good, message, status("-1"), 0, "malformed trailers"},
		"a huge status":             {200, good, message, status("99999999999999999999"), 0, "malformed trailers"},
		"two statuses":              {200, good, message, append(status("0"), status("3")...), 0, "malformed trailers"},
		"a cut prefix":              {200, good, message[:3], status("0"), 0, "malformed message"},
		"a cut message":             {200, good, message[:6], status("0"), 0, "malformed message"},
		"none":                      {200, good, nil, status("0"), 0, "malformed message"},
		"two":                       {200, good, append(append([]byte{}, message...), message...), status("0"), 0, "malformed message"},
		"compressed without asking": {200, good, []byte{1, 0, 0, 0, 2, 8, 7}, status("0"), 0, "malformed encoding"},
		"a flag that is none":       {200, good, []byte{2, 0, 0, 0, 2, 8, 7}, status("0"), 0, "malformed message"},
		"oversized":                 {200, good, []byte{0, 0xff, 0xff, 0xff, 0xff, 8, 7}, status("0"), 0, "malformed oversized-message"},
	} {
		t.Run(name, func(t *testing.T) {
			var w answer
			w.reset()
			w.httpStatus = c.http
			w.fields(c.head)
			for i := range c.data { // a byte each
				if !w.data(c.data[i : i+1]) {
					break
				}
			}
			w.fields(c.trailers)
			code, err := w.verdict(true)
			if c.detail == "" && (err != nil || code != c.code) {
				t.Errorf("%d %v, want %d", code, err, c.code)
			}
			if c.detail != "" && (err == nil || classify.Detail(err).String() != c.detail || classify.Fault(err) != attack.Protocol) {
				t.Errorf("%v %q, want %q", classify.Fault(err), classify.Detail(err), c.detail)
			}
		})
	}
}

// FuzzAnswer reads answers in pieces: however they are cut, they are read alike, and what
// is kept is bounded.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 2, 8, 7}, "0", 3)
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 9}, "14", 6)
	f.Add([]byte{1, 0, 0, 0, 0}, "x", 1)
	f.Add([]byte{0, 0xff, 0, 0, 0}, "", 5)
	f.Fuzz(func(t *testing.T, b []byte, status string, cut int) {
		read := func(pieces ...[]byte) (messages, bytes int, code int, err error) {
			var w answer
			w.reset()
			w.httpStatus = 200
			w.keep = func(m []byte) { bytes += len(m) }
			w.fields([]hpack.HeaderField{{Name: "content-type", Value: "application/grpc"}})
			for _, p := range pieces {
				if !w.data(p) {
					break
				}
			}
			w.fields([]hpack.HeaderField{{Name: "grpc-status", Value: status}})
			if cap(w.kept) > 2*maxKept {
				t.Errorf("%d bytes are kept", cap(w.kept))
			}
			code, err = w.verdict(false)
			return w.messages, bytes, code, err
		}
		cut = min(max(cut, 0), len(b))
		m1, n1, c1, e1 := read(b)
		m2, n2, c2, e2 := read(b[:cut], b[cut:])
		if m1 != m2 || n1 != n2 || c1 != c2 || (e1 == nil) != (e2 == nil) || e1 != nil && classify.Detail(e1) != classify.Detail(e2) {
			t.Errorf("whole: %d %d %d %v; in pieces: %d %d %d %v", m1, n1, c1, e1, m2, n2, c2, e2)
		}
		if errors.Is(e1, nil) && n1 > len(b) {
			t.Errorf("%d bytes of %d", n1, len(b))
		}
	})
}

// FuzzReflection reads what a server tells by reflection.
func FuzzReflection(f *testing.F) {
	f.Add([]byte{0x32, 2, 0x0a, 0}, 6)
	f.Add([]byte{0x22, 0xff, 0xff, 0xff, 0xff, 0x0f}, 4)
	f.Fuzz(func(t *testing.T, b []byte, number int) {
		total := 0
		for _, v := range subfields(b, 6) {
			total += len(v)
		}
		if total > len(b) {
			t.Errorf("%d bytes of %d", total, len(b))
		}
	})
}
