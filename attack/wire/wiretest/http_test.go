package wiretest_test

import (
	"bufio"
	"io"
	"net/http"
	"slices"
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

// Every RST is counted once, whatever the method, the version and the place.
func TestHTTPMethods(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "POST", "PUT"} {
		for _, version := range []string{"http1", "http2"} {
			t.Run(version+"/"+method, func(t *testing.T) { wiretest.Run(t, methodSubject(method, version == "http2")) })
		}
	}
}

func methodSubject(method string, http2 bool) wiretest.Subject {
	r := profiles.Request{Method: method, Path: "/"}
	if method == "POST" || method == "PUT" {
		r.Body = "some body"
	}
	return wiretest.Subject{
		Protocol: wirehttp.New, Secure: true, Shared: http2, Empty: method == "HEAD",
		Target: func(addr string, secure bool) profiles.Target {
			scheme := map[bool]string{false: "http://", true: "https://"}[secure]
			return profiles.Target{URL: scheme + addr, Requests: []profiles.Request{r}}
		},
		Set: func(c *profiles.Client, secure bool) {
			if http2 && !secure {
				c.Protocol = profiles.ProtocolH2C
			}
		},
		Inject: func(o *fault.InjectorOptions) { o.HTTP2 = http2 },
		Places: slices.DeleteFunc(wiretest.Places(), func(p fault.Place) bool {
			return p == fault.InBody && method == "HEAD" || p == fault.InHeaders && http2 // the injector has none
		}),
	}
}
