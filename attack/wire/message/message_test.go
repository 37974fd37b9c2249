package message_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/message"
	"github.com/rampload/rampload/attack/wire/route"
	"github.com/rampload/rampload/profiles"
)

// TestCompileErrors lists what a request must not be.
func TestCompileErrors(t *testing.T) {
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
		`read body: stat`:                {BodyFile: filepath.Join(t.TempDir(), "none")},
		`either a body or a body file`:   {Body: "x", BodyFile: "y"},
		`parse body template: template:`: {Template: true, Body: "{{.Missing}}"},
	} {
		if _, err := message.Compile(wire.Target{Authority: "h"}, r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", r, err, want)
		}
	}
}

func TestRequestURIKeepsTheSlashOfTheURL(t *testing.T) {
	for _, c := range []struct{ base, path, want string }{
		{"http://h", "", "/"},
		{"http://h/", "", "/"},
		{"http://h/", "/", "/"},
		{"http://h", "?x=1", "/?x=1"},
		{"http://h/app", "", "/app"},
		{"http://h/app", "/", "/app/"},
		{"http://h/app", "/a", "/app/a"},
		{"http://h/app", "?x=1", "/app?x=1"},
		{"http://h/app/", "", "/app/"},
		{"http://h/app/", "/", "/app/"},
		{"http://h/app/", "/a", "/app/a"},
		{"http://h/app/", "?x=1", "/app/?x=1"},
		{"http://h/app/", "*", "*"},
	} {
		to, err := route.New(route.Config{Profile: profiles.Target{URL: c.base}})
		if err != nil {
			t.Fatal(err)
		}
		m, err := message.Compile(wire.Target{Prefix: to.Prefix}, profiles.Request{Path: c.path})
		if err != nil || m.URI != c.want {
			t.Errorf("%s and %q: %+v, %v; want %q", c.base, c.path, m, err, c.want)
		}
	}
}

// A body file is read whole, and never from what may have no end.
func TestBodyFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(name, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := message.Compile(wire.Target{}, profiles.Request{Method: "POST", BodyFile: name})
	if err != nil || string(m.Body) != "from a file" {
		t.Errorf("%q, %v", m.Body, err)
	}
	for _, bad := range []string{os.DevNull, t.TempDir()} {
		if _, err := message.Compile(wire.Target{}, profiles.Request{Method: "POST", BodyFile: bad}); err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
