package diagnose_test

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
)

// TestTranslatedIsTold joins the resets that both ends saw, and says what lies between
// them: nothing, another destination, or another source.
func TestTranslatedIsTold(t *testing.T) {
	for _, test := range []struct {
		name string
		seen func(client, server netip.AddrPort) (netip.AddrPort, netip.AddrPort) // at the serving host
		also bool                                                                 // somebody else's resets too
		says string
	}{
		{"the same at both ends", func(c, s netip.AddrPort) (netip.AddrPort, netip.AddrPort) { return c, s }, false, ""},
		{
			"another destination", func(c, _ netip.AddrPort) (netip.AddrPort, netip.AddrPort) { return c, addrPort("10.9.0.7", serverPort) }, false,
			"connections to 10.0.0.2:8080 are to 10.9.0.7:8080 at orders-1",
		},
		{"another source", func(c, s netip.AddrPort) (netip.AddrPort, netip.AddrPort) {
			return addrPort("192.168.7.1", c.Port()^0x5555), s
		}, false, "orders-1 sends its resets to 192.168.7.1, and they come to 10.0.0.1"},
		{"the same, and others who ask too", func(c, s netip.AddrPort) (netip.AddrPort, netip.AddrPort) { return c, s }, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(rand.New(rand.NewPCG(3, 1199)))
			w.length = 20
			at := w.timeOf(w.loadBetween(0.4, 0.6))
			w.fail = func(r *request) {
				if r.due > at && w.rng.Float64() < 0.1 {
					reset(r, attack.PhaseAwait)
				}
			}
			w.background()
			w.play()
			for _, f := range w.log.Failures {
				if !f.WireReset {
					continue
				}
				client, server := test.seen(f.Conn.Local, f.Conn.Remote)
				e := probe.Event{
					Kind: probe.RSTSent, At: f.End - 200*time.Microsecond, Host: serverHost, Source: probe.Source{Host: serverHost, Name: "reset trace"},
					Local: server, Remote: client, Reason: "TCP_STATE", State: "TCP_ESTABLISHED",
				}
				w.event(e)
				if test.also {
					e.At, e.Remote = e.At+7*time.Second, addrPort("203.0.113.9", client.Port())
					w.event(e)
				}
			}
			w.complete()
			told := ""
			for _, text := range diagnose.Analyze(w.log).Warnings {
				if strings.Contains(text, "on the way changes") {
					told = text
				}
			}
			if (told == "") != (test.says == "") || !strings.Contains(told, test.says) {
				t.Errorf("told %q, want %q", told, test.says)
			}
		})
	}
}
