package parse

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rampload/rampload/probe"
)

const id = "00112233445566aa-0000000000000007"

// TestParse reads lines as the software writes them.
func TestParse(t *testing.T) {
	for _, test := range []struct {
		line          string
		format, level string
		text          string
		id, peer      string
		status        int
		tells         bool
		service       string
	}{
		{line: `{"timestamp":"2026-11-29T10:00:00.123Z","level":"error","message":"connection reset by peer","service":"orders","transactionId":"` + id + `","peer":"payments","remoteAddress":"10.0.3.2:8080"}`, format: "json", level: "error", text: "connection reset by peer", id: id, peer: "10.0.3.2:8080", tells: true, service: "orders"},
		{line: `{"level":50,"time":1764410400123,"msg":"request failed","err":{"type":"Error","message":"connect ECONNREFUSED 10.0.3.2:5432","stack":"Error: connect ECONNREFUSED 10.0.3.2:5432\n    at TCPConnectWrap"},"reqId":"` + id + `"}`, format: "json", level: "error", text: "request failed: connect ECONNREFUSED 10.0.3.2:5432: Error: connect ECONNREFUSED 10.0.3.2:5432", id: id, tells: true},
		{line: `{"ts":1764410400.5,"level":"info","msg":"served","status":200}`, format: "json", level: "info", text: "served", status: 200},
		{line: `{"@timestamp":"2026-11-29T10:00:00.1Z","log.level":"ERROR","message":"boom","service.name":"shop","trace.id":"00112233445566aa0000000000000007"}`, format: "json", level: "error", text: "boom", id: "00112233445566aa0000000000000007", tells: true, service: "shop"},
		{line: `2026/11/29 10:00:00 [error] 9#9: *20 connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.1.1, server: , request: "GET / HTTP/1.1", upstream: "http://10.0.3.2:8080/", host: "shop"`, format: "nginx", level: "error", text: `connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.1.1, server: , request: "GET / HTTP/1.1", upstream: "http://10.0.3.2:8080/", host: "shop"`, tells: true},
		{line: `10.0.1.1 - - [29/Nov/2026:10:00:00 +0000] "GET /orders/42?a=b HTTP/1.1" 502 157 "-" "curl" "` + id + `" upstream=10.0.3.2:8080`, format: "access", text: "502 to GET /orders/42", id: id, peer: "10.0.3.2:8080", status: 502, tells: true},
		// The second server that the proxy tried gave the answer; a group without a live one has a name only.
		{line: `10.0.1.1 - - [29/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 503 157 "-" "curl" upstream=10.0.3.2:8080, 10.0.3.3:8080 upstream_status=502, 503`, format: "access", text: "503 to GET /" + probe.WrittenBy + "10.0.3.3:8080", peer: "10.0.3.3:8080", status: 503, tells: true},
		{line: `10.0.1.1 - - [29/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 502 157 "-" ua="Mozilla/5.0 (X11)"`, format: "access", text: "502 to GET /", status: 502, tells: true},
		{line: `10.0.1.1 - - [29/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 502 157 "-" ua="10.0.4.2:8080" us="502"`, format: "access", text: "502 to GET /" + probe.WrittenBy + "10.0.4.2:8080", peer: "10.0.4.2:8080", status: 502, tells: true},
		{line: `10.0.1.1 - - [29/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 502 157 "-" "curl" upstream_addr="10.0.3.2:8080 : 10.0.4.2:8080, shop" upstream_status="504 : 502, 502"`, format: "access", text: "502 to GET /" + probe.WrittenBy + "itself", peer: "10.0.4.2:8080", status: 502, tells: true},
		{line: `10.0.1.1 - - [29/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 157 "-" "curl"`, format: "access", text: "200 to GET /", status: 200},
		{line: `[2026-11-29T10:00:00.000Z] "GET /x HTTP/1.1" 503 UO 0 81 0 - "-" "curl" "` + id + `" "shop" "10.0.3.2:8080"`, format: "envoy", text: "503 to GET /x: circuit breaker: pending overflow (UO)", id: id, peer: "10.0.3.2:8080", status: 503, tells: true},
		{line: `Nov 29 10:00:00 lb haproxy[12]: 10.0.1.1:4711 [29/Nov/2026:10:00:00.123] front app/a1 0/0/-1/-1/3 503 217 - - SC-- 1/1/0/0/3 0/0 "GET /a HTTP/1.1"`, format: "haproxy", text: "503 to GET /a by app/a1: connection refused, or reset while connecting (SC)", peer: "a1", status: 503, tells: true},
		{line: `10.0.1.1:4711 [29/Nov/2026:10:00:00.123] front app/<NOSRV> 0/-1/-1/-1/0 503 217 - - SC-- 1/1/0/0/0 0/0 "GET /a HTTP/1.1"`, format: "haproxy", text: "503 to GET /a: no server is available (SC)", status: 503, tells: true},
		{line: `10.0.1.1:4711 [29/Nov/2026:10:00:00.123] front app/a1 0/0/0/2/2 200 217 - - ---- 1/1/0/0/0 0/0 "GET /a HTTP/1.1"`, format: "haproxy", text: "200 to GET /a by app/a1", peer: "a1", status: 200},
		{line: `[Sun Nov 29 10:00:00.123456 2026] [proxy:error] [pid 7:tid 8] (111)Connection refused: AH00957: http: attempt to connect to 10.0.3.2:8080 (10.0.3.2:8080) failed`, format: "apache", level: "error", text: "(111)Connection refused: AH00957: http: attempt to connect to 10.0.3.2:8080 (10.0.3.2:8080) failed", tells: true},
		{line: `[2026-11-29 10:00:00 +0000] [12] [CRITICAL] WORKER TIMEOUT (pid:4711)`, format: "gunicorn", level: "fatal", text: "WORKER TIMEOUT (pid:4711)", tells: true},
		{line: `2026-11-29 10:00:00.123 UTC [4711] shop@shop FATAL:  sorry, too many clients already`, format: "postgresql", level: "fatal", text: "sorry, too many clients already", tells: true},
		{line: `2026-11-29 10:00:00.123 UTC [4711] LOG:  checkpoint starting: time`, format: "text", level: "info", text: "2026-11-29 10:00:00.123 UTC [4711] LOG:  checkpoint starting: time"},
		{line: `12:M 29 Nov 2026 10:00:00.123 # Error registering fd event for the new client: Numerical result out of range`, format: "redis", level: "warn", text: "Error registering fd event for the new client: Numerical result out of range", tells: true},
		{line: `2026/11/29 10:00:00 http: Accept error: accept tcp [::]:8080: accept4: too many open files; retrying in 5ms`, format: "go", text: "http: Accept error: accept tcp [::]:8080: accept4: too many open files; retrying in 5ms", tells: true},
		{line: `2026-11-29 10:00:00,123 ERROR shop.db - could not connect`, format: "python", level: "error", text: "shop.db - could not connect", tells: true},
		{line: `[ 1234.567890] nf_conntrack: nf_conntrack: table full, dropping packet`, format: "kernel", text: "nf_conntrack: nf_conntrack: table full, dropping packet", tells: true},
		{line: `time="2026-11-29T10:00:00Z" level=error msg="dial tcp 10.0.3.2:8080: connect: connection refused"`, format: "logfmt", level: "error", text: `msg="dial tcp 10.0.3.2:8080: connect: connection refused"`, tells: true},
		{line: `2026-11-29T10:00:00.123456789Z stderr F 2026/11/29 10:00:00 [crit] 9#9: *1 open() failed (24: Too many open files)`, format: "nginx", level: "fatal", text: "open() failed (24: Too many open files)", tells: true},
		{line: "listening on :8080", format: "text", text: "listening on :8080"},
		{line: `GET /error 200 in 3ms`, format: "text", text: `GET /error 200 in 3ms`, tells: true}, // without a level the word is enough
		{line: `{"level":"error","message":"` + "\\u001b[31mred\\u001b[0m\\u0007 <script>alert(1)</script> \\u202e" + `"}`, format: "json", level: "error", text: "red <script>alert(1)</script>", tells: true},
		{line: `{"level":"error","message":"login failed","detail":1,"error":"password=hunter22 for https://u:secret@db/ Bearer abcdef0123"}`, format: "json", level: "error", text: "login failed: password=*** for https://u:***@db/ Bearer ***", tells: true},
	} {
		p := Parser{}
		e := p.Parse(test.line)
		tells := e.Tells()
		if tells {
			e.Finish()
		}
		if e.Format != test.format || e.Level.String() != test.level || e.Text != test.text || tells && (e.ID != test.id || e.Peer != test.peer) || e.Status != test.status || tells != test.tells || e.Service != test.service {
			t.Errorf("%s\n got %+v %v", test.line, e, tells)
		}
	}
}

// TestFieldsCanBeNamed reads JSON whose fields nobody would guess.
func TestFieldsCanBeNamed(t *testing.T) {
	p := Parser{Fields: Fields{Time: "when", Level: "grade", Message: "what", Service: "who", ID: "tx", Peer: "whom", Status: "code"}}
	e := p.Parse(`{"when":"2026-11-29T10:00:00.5Z","grade":"error","what":"boom","who":"orders","tx":"` + id + `","whom":"10.0.3.2:1","code":503}`)
	if e.Time == "" || e.Level != LevelError || e.Text != "boom" || e.Service != "orders" || e.ID != id || e.Peer != "10.0.3.2:1" || e.Status != 503 {
		t.Errorf("got %+v", e)
	}
}

func TestTimes(t *testing.T) {
	want := time.Date(2026, 11, 29, 10, 0, 0, 123e6, time.UTC)
	for _, s := range []string{
		"2026-11-29T10:00:00.123Z", "2026-11-29T11:00:00.123+01:00", "2026-11-29 10:00:00.123 UTC", "29/Nov/2026:10:00:00.123 +0000", "1795946400.123", "1795946400123", "1795946400123000", "1795946400123000000",
	} {
		got, whole := TimeOf(s)
		if d := got.Sub(want); d < -time.Millisecond || d > time.Millisecond || whole {
			t.Errorf("%s: %s %v", s, got, whole)
		}
	}
	for _, s := range []string{"", "never", "123", "99999999999999999999", "-1.5", "1795946400.x", strings.Repeat("9", 70)} {
		if got, _ := TimeOf(s); !got.IsZero() {
			t.Errorf("%q: %s", s, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"level":"error","message":"\ud83d\ude00 x"}`)
	f.Add(`10.0.1.1:4711 [29/Nov/2026:10:00:00.123] front app/a1 0/0/-1/-1/3 503 217 - - SC-- 1/1/0/0/3 0/0 "GET /a HTTP/1.1"`)
	f.Add(`10.0.1.1 - - [29/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 502 157 "-" "curl"`)
	f.Add("2026/11/29 10:00:00 [error] 9#9: x \x1b]0;title\x07 password=abcdef")
	f.Fuzz(func(t *testing.T, line string) {
		p := Parser{}
		e := p.Parse(line)
		e.Finish()
		if len(e.Text) > MaxText || !utf8.ValidString(e.Text) || strings.ContainsFunc(e.Text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Fatalf("text %q", e.Text)
		}
		if len(e.ID) > 64 || len(e.Peer) > MaxField || e.Status > 599 {
			t.Fatalf("%+v", e)
		}
		_, _ = TimeOf(e.Time)
	})
}

// BenchmarkLines is what a second of 20,000 lines costs: one in a hundred tells of a
// fault. A core has 1e9 ns a second.
func BenchmarkLines(b *testing.B) {
	lines := []string{
		`10.0.1.1 - - [29/Nov/2026:10:00:00 +0000] "GET /orders/42 HTTP/1.1" 200 157 "-" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"`,
		`{"timestamp":"2026-11-29T10:00:00.123Z","level":"info","message":"order placed","service":"orders","transactionId":"` + id + `","peer":"payments","remoteAddress":"10.0.3.2:8080","took_ms":12}`,
		`2026-11-29 10:00:00,123 INFO shop.db - 3 rows in 2 ms`,
		`10.0.1.1:4711 [29/Nov/2026:10:00:00.123] front app/a1 0/0/0/2/2 200 217 - - ---- 1/1/0/0/0 0/0 "GET /a HTTP/1.1"`,
	}
	bad := `{"timestamp":"2026-11-29T10:00:00.123Z","level":"error","message":"connection reset by peer","service":"orders","transactionId":"` + id + `"}`
	p := Parser{}
	for i := 0; b.Loop(); i++ {
		line := lines[i%len(lines)]
		if i%100 == 0 {
			line = bad
		}
		if e := p.Parse(line); e.Tells() {
			e.Finish()
		}
	}
}
