package fleetcmd

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/profiles"
)

// A worker goes nowhere that its owner did not name, by whatever part of a profile it is
// asked to.
func TestAllowance(t *testing.T) {
	a, err := parseAllowance([]string{"http://orders.internal:8080", "*.shop.internal:443", "unix:///run/app.sock", "nats://bus.internal"}, []string{"0.0.0.0:9*"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		target profiles.Target
		says   string // empty: allowed
	}{
		"named":            {profiles.Target{URL: "http://orders.internal:8080/v1"}, ""},
		"in capitals":      {profiles.Target{URL: "http://ORDERS.internal:8080"}, ""},
		"by a pattern":     {profiles.Target{URL: "https://cart.shop.internal"}, ""},
		"a socket":         {profiles.Target{URL: "unix:///run/app.sock"}, ""},
		"another port":     {profiles.Target{URL: "http://orders.internal"}, "orders.internal:80 is not one"},
		"another socket":   {profiles.Target{URL: "unix:///run/docker.sock"}, "unix:/run/docker.sock is not one"},
		"connected to":     {profiles.Target{URL: "http://orders.internal:8080", ConnectTo: "10.0.0.9:22"}, "10.0.0.9:22 is not one"},
		"read from a file": {profiles.Target{File: "targets.txt", Read: []profiles.Base{{URL: "http://orders.internal:8080"}, {URL: "http://victim:80"}}}, "victim:80 is not one"},
		"polls": {
			profiles.Target{URL: "http://orders.internal:8080", Completion: profiles.Completion{Via: profiles.ViaPoll, Poll: profiles.Poll{URL: "http://victim:8080"}}},
			"completion of target x at victim:8080 is not one",
		},
		"polls the target": {profiles.Target{URL: "http://orders.internal:8080", Completion: profiles.Completion{Via: profiles.ViaPoll}}, ""},
		"hears a subject": {
			profiles.Target{URL: "http://orders.internal:8080", Completion: profiles.Completion{Via: profiles.ViaNATS, Topic: profiles.Topic{URL: "nats://victim"}}},
			"victim:4222 is not one",
		},
		"hears a subject that is named": {
			profiles.Target{URL: "http://orders.internal:8080", Completion: profiles.Completion{Via: profiles.ViaNATS, Topic: profiles.Topic{URL: "tls://bus.internal:4222"}}}, "",
		},
		"is called back": {
			profiles.Target{URL: "http://orders.internal:8080", Completion: profiles.Completion{Via: profiles.ViaCallback, Callback: profiles.Callback{Listen: "0.0.0.0:22"}}},
			"start it with --allow-callback 0.0.0.0:22",
		},
		"is called back where it may": {
			profiles.Target{URL: "http://orders.internal:8080", Completion: profiles.Completion{Via: profiles.ViaCallback, Callback: profiles.Callback{Listen: "0.0.0.0:9099"}}}, "",
		},
	} {
		tt.target.Name = "x"
		if err := a.target(tt.target); err == nil != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", name, err, tt.says)
		}
	}
	if _, err := parseAllowance([]string{"orders"}, nil); err == nil {
		t.Error("a target without a port is taken")
	}
	if _, err := parseAllowance(nil, []string{"9099"}); err == nil {
		t.Error("a callback without a host is taken")
	}
}

// Source addresses are those of the worker's own machine, shared where it has company.
func TestOwnSources(t *testing.T) {
	addrs := func(texts ...string) (out []netip.Addr) {
		for _, text := range texts {
			out = append(out, netip.MustParseAddr(text))
		}
		return out
	}
	own := []string{"127.0.0.1", "10.0.0.5", "10.0.0.6", "10.0.0.7"}
	for _, tt := range []struct {
		profile []netip.Addr
		beside  protocol.Beside
		want    []netip.Addr
	}{
		{nil, protocol.Beside{}, nil},
		{addrs("10.0.0.5", "10.9.9.9"), protocol.Beside{Of: 1}, addrs("10.0.0.5")},
		{addrs("10.0.0.5", "10.0.0.6", "10.0.0.7"), protocol.Beside{Rank: 1, Of: 2}, addrs("10.0.0.6")},
		{addrs("10.0.0.5", "10.0.0.6", "10.0.0.7"), protocol.Beside{Rank: 0, Of: 2}, addrs("10.0.0.5", "10.0.0.7")},
		{addrs("10.0.0.5", "10.0.0.6"), protocol.Beside{Rank: 2, Of: 3}, addrs("10.0.0.5", "10.0.0.6")},
	} {
		if got, err := ownSources(tt.profile, own, tt.beside); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%v beside %+v: %v, %v", tt.profile, tt.beside, got, err)
		}
	}
	if _, err := ownSources(addrs("10.9.9.9"), own, protocol.Beside{}); err == nil || !strings.Contains(err.Error(), "none of 10.9.9.9") {
		t.Errorf("an address of another machine: %v", err)
	}
}
