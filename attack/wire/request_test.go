package wire

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// TestNewErrors lists what a configuration must not be.
func TestNewErrors(t *testing.T) {
	for want, cfg := range map[string]Config{
		"it must begin with http://, https://":    {Profile: profiles.Target{URL: "ftp://h"}},
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
		cfg.Exchange = Speak
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
				// A writer of a large body that has no processor when the answer comes cannot
				// say that it is done, and the connection is not kept: on a busy machine it may
				// take several.
				const patience = 20
				for i := 0; ; i++ {
					a := attack.Attempt{Request: 7}
					tr.Do(req, &a)
					expectEnd(t, a, attack.None, attack.PhaseDone, 200)
					if r := <-got; r.body != tc.want {
						t.Errorf("the server got %d bytes, want %d", len(r.body), len(tc.want))
					}
					if a.Conn.Served > 0 {
						break
					}
					if i == patience || i > 0 && len(tc.want) < 100 {
						t.Errorf("the connection was not kept: %+v", a.Conn)
						break
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
	if took := a.End - a.Start; took < continueWait || took > continueWait+patience/2 {
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
			rec.Wait(func() int { return 1 })
		}
		tr.Close()
		if a.Status != 413 {
			t.Errorf("%+v", a)
		}
		if a.WireReset == (rec.Resets() == 1) {
			t.Errorf("reset by the attempt %v, later %d", a.WireReset, rec.Resets())
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
		if a.Fault != attack.Reset || a.Phase != attack.PhaseWrite || !a.WireReset || rec.Resets() != 0 {
			t.Errorf("%+v, later %d", a, rec.Resets())
		}
	})
}
