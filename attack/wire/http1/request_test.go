package http1

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/message"
	"github.com/rampload/rampload/attack/wire/route"
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
			r, err := route.New(route.Config{Profile: profiles.Target{URL: tc.url}})
			if err != nil {
				t.Fatal(err)
			}
			req, err := Compile(wire.Target{
				Client: tc.client, RunID: testRun,
				Authority: r.Authority, Prefix: r.Prefix, Authorization: r.User, Origin: r.Origin,
			}, tc.request)
			if err != nil {
				t.Fatal(err)
			}
			c := new(scratch)
			var out bytes.Buffer
			for n := range 2 { // the second reuses what the first encoded
				a := attack.Attempt{Request: uint64(n) * 0xabcdef, Try: uint16(n)}
				rest := req.encodeFor(c, testRun, &a)
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
		{Name: message.TransactionHeader, Value: strings.Repeat("x", attack.TransactionIDLen)},
		{Name: message.TraceHeader, Value: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	}
}
