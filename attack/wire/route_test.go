package wire

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rampload/rampload/profiles"
)

// Two services behind one address: each target connects there and asks for its own
// name, in TLS and in the Host header.
func TestConnectToAndServerName(t *testing.T) {
	type asked struct{ sni, host string }
	got := make(chan asked, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got <- asked{r.TLS.ServerName, r.Host}
	}))
	s.TLS = &tls.Config{}
	s.StartTLS()
	defer s.Close()
	address := s.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	for _, c := range []struct {
		url, connectTo, serverName string
		want                       asked
	}{
		{"https://a.example", address, "", asked{"a.example", "a.example"}},
		{"https://a.example:8443", address, "b.example", asked{"b.example", "a.example:8443"}},
		{"https://" + address, "", "b.example", asked{"b.example", address}},
		{"https://a.example", "localhost:" + port, "", asked{"a.example", "a.example"}},
	} {
		own := profiles.TLS{SkipVerify: true}
		if c.serverName != "" {
			own.ServerName = "client.example" // the target's outranks it
		}
		tr, err := New(Config{
			Exchange: Speak,
			Profile:  profiles.Target{URL: c.url, ConnectTo: c.connectTo, ServerName: c.serverName, Expect: profiles.DefaultExpect()},
			Client:   profiles.Client{Connections: 1, TLS: own},
		})
		if err != nil {
			t.Fatal(err)
		}
		do(t, tr, profiles.Request{Path: "/"})
		tr.Close()
		if seen := <-got; seen != c.want {
			t.Errorf("%s by %q, server name %q: asked for %v, want %v", c.url, c.connectTo, c.serverName, seen, c.want)
		}
	}
	if _, err := New(Config{Exchange: Speak, Profile: profiles.Target{URL: "http://h", ConnectTo: "h:0"}}); err == nil || !strings.Contains(err.Error(), "connect-to") {
		t.Errorf("a port of 0: %v", err)
	}
}
