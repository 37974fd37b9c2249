package preflight

import (
	"testing"

	"github.com/rampload/rampload/profiles"
)

func TestUnproxied(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://proxy.internal:3128")
	t.Setenv("HTTPS_PROXY", "")
	t.Setenv("https_proxy", "")
	t.Setenv("NO_PROXY", "near.internal")
	const direct = ", which is connected to directly: "
	for _, c := range []struct{ url, want string }{
		{"http://orders.internal:8080", ""},
		{"http://near.internal", "target t: client.proxy does not apply to near.internal" + direct + "NO_PROXY exempts it"},
		{"https://orders.internal", "target t: client.proxy does not apply to orders.internal" + direct + "HTTPS_PROXY is not set"},
		{"http://127.0.0.1:80", "target t: client.proxy does not apply to 127.0.0.1:80" + direct + "no proxy is ever asked for this machine itself"},
		{"unix:///run/app.sock", "target t: client.proxy does not apply to /run/app.sock" + direct + "a Unix socket has none"},
	} {
		target := profiles.Target{Name: "t", URL: c.url}
		got := ""
		for _, line := range Unproxied(profiles.Profile{Client: profiles.Client{Proxy: true}}, target) {
			got += line
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.url, got, c.want)
		}
		if lines := Unproxied(profiles.Profile{}, target); lines != nil {
			t.Errorf("%s without a proxy: %q", c.url, lines)
		}
	}
}
