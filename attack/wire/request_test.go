package wire

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var testRun = attack.RunID{1, 2, 3, 4, 5, 6, 7, 8}

// TestRequestBytes compares requests as they go out with golden files.
func TestRequestBytes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(file, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		url     string
		client  profiles.Client
		request profiles.Request
	}{
		"get":         {url: "http://h", request: profiles.Request{Path: "/a?b=c%20d"}},
		"prefix":      {url: "http://h:8080/api/", request: profiles.Request{Path: "/a b#frag"}},
		"no-path":     {url: "http://h/api", request: profiles.Request{Path: "?x=1"}},
		"options":     {url: "http://h", request: profiles.Request{Method: "OPTIONS", Path: "*"}},
		"user":        {url: "http://me:secret@h", request: profiles.Request{Path: "//double"}},
		"ipv6":        {url: "http://[fe80::1%25lo]:81", request: profiles.Request{Path: "/"}},
		"post":        {url: "http://h", request: profiles.Request{Method: "POST", Path: "/", Body: `{"a":1}`}},
		"post-empty":  {url: "http://h", request: profiles.Request{Method: "POST", Path: "/"}},
		"file":        {url: "http://h", request: profiles.Request{Method: "PUT", Path: "/", BodyFile: file}},
		"chunked":     {url: "http://h", request: profiles.Request{Method: "POST", Path: "/", Body: strings.Repeat("0123456789abcdef", 40), Chunked: true}},
		"close":       {url: "http://h", client: profiles.Client{Connections: -1}, request: profiles.Request{Path: "/"}},
		"expect":      {url: "http://h", client: profiles.Client{ExpectContinue: true}, request: profiles.Request{Method: "POST", Path: "/", Body: "later"}},
		"expect-none": {url: "http://h", client: profiles.Client{ExpectContinue: true}, request: profiles.Request{Path: "/"}},
		"template": {url: "http://h", request: profiles.Request{
			Method: "POST", Path: "/", Template: true, Body: `{{.N}} {{.ID}}`,
		}},
		"template-general": {url: "http://h", request: profiles.Request{
			Method: "POST", Path: "/", Template: true, Body: `{{printf "%05d" .N}}{{if gt .N 3}} late{{end}}`, Chunked: true,
		}},
		"headers": {url: "http://h", request: profiles.Request{Path: "/", Headers: []profiles.Header{
			{Name: "host", Value: "other"},
			{Name: "User-Agent", Value: "mine"},
			{Name: "x-transaction-id", Value: "mine"},
			{Name: "Traceparent", Value: "mine"},
			{Name: "Accept", Value: "a"},
			{Name: "Accept", Value: " b "},
		}}},
		"headers-ids": {url: "http://h", request: profiles.Request{Path: "/", Headers: theirIDs()}},
	} {
		t.Run(name, func(t *testing.T) {
			switch tc.client.Connections {
			case 0:
				tc.client.Connections = 1
			case -1:
				tc.client.Connections = 0
			}
			tr, err := New(Config{Profile: profiles.Target{URL: tc.url}, Client: tc.client, RunID: testRun})
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			req := compile(t, tr, tc.request)
			c := &http1{Conn: &Conn{t: tr}, scratch: new(scratch)}
			var out bytes.Buffer
			for n := range 2 { // the second reuses what the first encoded
				a := attack.Attempt{Request: uint64(n) * 0xabcdef, Try: uint16(n)}
				rest := req.encodeFor(c, &a)
				out.Write(c.out)
				if rest != nil {
					out.WriteString("-- apart --\r\n")
					out.Write(rest)
				}
				out.WriteString("\r\n==\r\n")
			}
			golden := filepath.Join("testdata", "request-"+name+".txt")
			if *update {
				if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out.Bytes(), want) {
				t.Errorf("got\n%s\nwant\n%s", out.Bytes(), want)
			}
		})
	}
}

// theirIDs are ids of a profile, as long as rampload's own.
func theirIDs() []profiles.Header {
	return []profiles.Header{
		{Name: transactionHeader, Value: strings.Repeat("x", attack.TransactionIDLen)},
		{Name: traceHeader, Value: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	}
}

// TestStreamKeepsTheirIDs: nor over HTTP/2 does a profile's id give way to ours.
func TestStreamKeepsTheirIDs(t *testing.T) {
	tr, _ := client(t, "http://127.0.0.1:1", nil)
	req := compile(t, tr, profiles.Request{Headers: theirIDs()})
	fields, err := hpack.NewDecoder(0, nil).DecodeFull((&exchange{id: testRun, r: req, a: new(attack.Attempt)}).AppendHeaders(nil))
	if err != nil {
		t.Fatal(err)
	}
	got := make(http.Header)
	for _, f := range fields {
		got.Add(f.Name, f.Value)
	}
	for _, h := range theirIDs() {
		if values := got.Values(h.Name); len(values) != 1 || values[0] != h.Value {
			t.Errorf("%s: %q, want %q", h.Name, values, h.Value)
		}
	}
}

// TestCompileErrors lists what a request must not be.
func TestCompileErrors(t *testing.T) {
	tr, _ := client(t, "http://127.0.0.1:1", nil)
	for want, r := range map[string]profiles.Request{
		`method "GE T" is no token`:      {Method: "GE T"},
		`CONNECT is for proxies`:         {Method: "CONNECT"},
		`must begin with a slash`:        {Path: "http://other/"},
		`parse path`:                     {Path: "/%zz"},
		`is no token`:                    {Headers: []profiles.Header{{Name: "a b"}}},
		`control character`:              {Headers: []profiles.Header{{Name: "a", Value: "b\r\nc: d"}}},
		`it follows from the body`:       {Headers: []profiles.Header{{Name: "Content-Length", Value: "5"}}},
		`write chunked: true instead`:    {Headers: []profiles.Header{{Name: "Transfer-Encoding", Value: "chunked"}}},
		`only 100-continue is defined`:   {Headers: []profiles.Header{{Name: "Expect", Value: "more"}}},
		`read body: open`:                {BodyFile: filepath.Join(t.TempDir(), "none")},
		`either a body or a body file`:   {Body: "x", BodyFile: "y"},
		`parse body template: template:`: {Template: true, Body: "{{.Missing}}"},
	} {
		if _, err := tr.Compile(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", r, err, want)
		}
	}
}

// TestNewErrors lists what a configuration must not be.
func TestNewErrors(t *testing.T) {
	for want, cfg := range map[string]Config{
		"the scheme must be http, https or unix":  {Profile: profiles.Target{URL: "ftp://h"}},
		"the host is missing":                     {Profile: profiles.Target{URL: "http://"}},
		"the port must be 1 to 65535":             {Profile: profiles.Target{URL: "http://h:0"}},
		"belong to the path of a request":         {Profile: profiles.Target{URL: "http://h/?a"}},
		"a Unix socket is written unix:///path":   {Profile: profiles.Target{URL: "unix://path"}},
		"has at most 107 bytes":                   {Profile: profiles.Target{URL: "unix:///" + strings.Repeat("x", 107)}},
		"http2 needs an https target":             {Profile: profiles.Target{URL: "http://h"}, Client: profiles.Client{Protocol: profiles.ProtocolHTTP2}},
		"over https it is protocol: http2":        {Profile: profiles.Target{URL: "https://h"}, Client: profiles.Client{Protocol: profiles.ProtocolH2C}},
		"read CA file: open":                      {Profile: profiles.Target{URL: "https://h"}, Client: profiles.Client{TLS: profiles.TLS{CAFile: "/none"}}},
		"no certificate in PEM format found":      {Profile: profiles.Target{URL: "https://h"}, Client: profiles.Client{TLS: profiles.TLS{CAFile: "/dev/null"}}},
		"load client certificate: open /none: no": {Profile: profiles.Target{URL: "https://h"}, Client: profiles.Client{TLS: profiles.TLS{CertFile: "/none", KeyFile: "/none"}}},
	} {
		tr, err := New(cfg)
		if err == nil {
			tr.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// received is one request as a server read it.
type received struct {
	req  *http.Request
	body string
}

// collect answers every request and hands it on.
func collect(out chan received) func(net.Conn, int) {
	return func(c net.Conn, _ int) {
		br := bufio.NewReader(c)
		for {
			req, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			if req.Header.Get("Expect") != "" {
				io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
			}
			body, err := io.ReadAll(req.Body)
			if err != nil {
				return
			}
			out <- received{req, string(body)}
			io.WriteString(c, okResponse)
		}
	}
}

// TestBodies sends bodies of all kinds, small and large, twice each on one
// connection.
func TestBodies(t *testing.T) {
	got := make(chan received, 1)
	url := scripted(t, collect(got))
	large := strings.Repeat("0123456789", 100_000)
	for name, tc := range map[string]struct {
		r    profiles.Request
		want string
	}{
		"small":            {profiles.Request{Body: "x"}, "x"},
		"large":            {profiles.Request{Body: large}, large},
		"chunked":          {profiles.Request{Body: "x", Chunked: true}, "x"},
		"chunked large":    {profiles.Request{Body: large, Chunked: true}, large},
		"chunked empty":    {profiles.Request{Chunked: true}, ""},
		"template":         {profiles.Request{Body: "n={{.N}}", Template: true}, "n=7"},
		"template large":   {profiles.Request{Body: large + "{{.N}}", Template: true}, large + "7"},
		"template chunked": {profiles.Request{Body: large + "{{.N}}", Template: true, Chunked: true}, large + "7"},
	} {
		for _, expect := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/expect=%v", name, expect), func(t *testing.T) {
				tr, _ := client(t, url, func(c *Config) {
					c.Client.ExpectContinue = expect
					c.Client.Timeout = 10 * time.Second
				})
				tc.r.Method = "POST"
				req := compile(t, tr, tc.r)
				for i := range 2 {
					a := attack.Attempt{Request: 7}
					tr.Do(req, &a)
					expectEnd(t, a, attack.None, attack.PhaseDone, 200)
					if int(a.Conn.Served) != i {
						t.Errorf("the connection was not kept: %+v", a.Conn)
					}
					if r := <-got; r.body != tc.want {
						t.Errorf("the server got %d bytes, want %d", len(r.body), len(tc.want))
					}
				}
			})
		}
	}
}

func TestExpectRefused(t *testing.T) {
	url := scripted(t, func(c net.Conn, _ int) {
		br := bufio.NewReader(c)
		http.ReadRequest(br)
		io.WriteString(c, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
		if b, err := br.ReadByte(); err == nil {
			t.Errorf("the body was sent all the same: %q", b)
		}
	})
	tr, _ := client(t, url, func(c *Config) { c.Client.ExpectContinue = true })
	a := do(t, tr, profiles.Request{Method: "POST", Body: "x"})
	expectEnd(t, a, attack.None, attack.PhaseDone, 417)
	if b := do(t, tr, profiles.Request{Method: "POST", Body: "x"}); b.Conn.ID == a.Conn.ID {
		t.Error("the connection was kept")
	}
}

// TestExpectIgnored has a server that never says Continue.
func TestExpectIgnored(t *testing.T) {
	url := scripted(t, answers(okResponse))
	tr, _ := client(t, url, func(c *Config) {
		c.Client.ExpectContinue = true
		c.Client.Timeout = patience
	})
	a := do(t, tr, profiles.Request{Method: "POST", Body: "x"})
	expectEnd(t, a, attack.None, attack.PhaseDone, 200)
	if took := a.End - a.Start; took < expectTime || took > expectTime+patience/2 {
		t.Errorf("took %v", took)
	}
}

// TestEarlyAnswer has servers that answer before they have read a large body.
func TestEarlyAnswer(t *testing.T) {
	large := strings.Repeat("x", 16<<20)
	const refusal = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"
	t.Run("and reset", func(t *testing.T) {
		url := scripted(t, func(c net.Conn, _ int) {
			http.ReadRequest(bufio.NewReader(c))
			io.WriteString(c, refusal)
			rest(20 * time.Millisecond)
			// Closed with unread data: a RST.
		})
		tr, rec := client(t, url, nil)
		a := do(t, tr, profiles.Request{Method: "POST", Body: large})
		if !a.WireReset {
			rec.wait(func() int { return 1 })
		}
		tr.Close()
		if a.Status != 413 {
			t.Errorf("%+v", a)
		}
		if a.WireReset == (rec.resets == 1) {
			t.Errorf("reset by the attempt %v, later %d", a.WireReset, rec.resets)
		}
	})
	t.Run("and wait", func(t *testing.T) {
		url := scripted(t, func(c net.Conn, _ int) {
			http.ReadRequest(bufio.NewReader(c))
			io.WriteString(c, refusal)
			<-t.Context().Done()
		})
		tr, _ := client(t, url, func(c *Config) { c.Client.Timeout = patience })
		a := do(t, tr, profiles.Request{Method: "POST", Body: large})
		expectEnd(t, a, attack.None, attack.PhaseDone, 413)
		if took := tr.clock() - a.Start; took > patience/2 {
			t.Errorf("took %v", took)
		}
	})
	t.Run("reset in the body", func(t *testing.T) {
		url := scripted(t, func(c net.Conn, _ int) {
			c.Read(make([]byte, 10))
			c.(*net.TCPConn).SetLinger(0)
		})
		tr, rec := client(t, url, nil)
		a := do(t, tr, profiles.Request{Method: "POST", Body: large})
		tr.Close()
		if a.Fault != attack.Reset || a.Phase != attack.PhaseWrite || !a.WireReset || rec.resets != 0 {
			t.Errorf("%+v, later %d", a, rec.resets)
		}
	})
}
