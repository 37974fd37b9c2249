package wiretest_test

import (
	"bufio"
	"io"
	"net/http"
	"testing"

	"github.com/rampload/rampload/attack/fault"
	wirehttp "github.com/rampload/rampload/attack/wire/http"
	"github.com/rampload/rampload/attack/wire/wiretest"
	"github.com/rampload/rampload/profiles"
)

// HTTP holds what every protocol has to: the suite itself is tested by it.
func TestHTTP1(t *testing.T) {
	wiretest.Run(t, wiretest.Subject{
		Protocol: wirehttp.New, Secure: true,
		Target: func(addr string, secure bool) profiles.Target {
			scheme := "http://"
			if secure {
				scheme = "https://"
			}
			return profiles.Target{
				URL: scheme + addr, Expect: profiles.DefaultExpect(),
				Requests: []profiles.Request{{Method: "GET", Path: "/"}},
			}
		},
		Inject: func(o *fault.InjectorOptions) { o.Dialogue = func() fault.Dialogue { return dialogue{} } },
	})
}

type dialogue struct{}

func (dialogue) Greet(*bufio.Reader, io.Writer) error { return nil }

func (dialogue) Request(in *bufio.Reader) error {
	_, err := http.ReadRequest(in)
	return err
}

func (dialogue) Answer() []byte {
	return []byte("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello, world")
}

func TestHTTP2(t *testing.T) {
	wiretest.Run(t, wiretest.Subject{
		Protocol: wirehttp.New, Shared: true,
		Target: func(addr string, _ bool) profiles.Target {
			return profiles.Target{URL: "http://" + addr, Requests: []profiles.Request{{Method: "GET", Path: "/"}}}
		},
		Set:    func(c *profiles.Client) { c.Protocol = profiles.ProtocolH2C },
		Inject: func(o *fault.InjectorOptions) { o.HTTP2 = true },
		Places: []fault.Place{fault.OnAccept, fault.BeforeResponseFresh, fault.InBody, fault.AfterFIN},
	})
}
