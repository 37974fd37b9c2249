package preflight

import (
	"crypto/x509"
	"net/netip"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/profiles"
)

func TestRefusal(t *testing.T) {
	at := attack.Conn{Remote: netip.MustParseAddrPort("192.0.2.1:443")}
	failed := func(fault attack.Fault, phase attack.Phase, detail attack.Detail) wire.Knocked {
		return wire.Knocked{Attempt: attack.Attempt{Fault: fault, Phase: phase, Detail: detail, Conn: at}}
	}
	certificate := func(code uint16) wire.Knocked {
		k := failed(attack.TLS, attack.PhaseTLS, attack.Detail{Kind: attack.CertificateDetail, Code: code})
		k.Certificate = &x509.Certificate{
			NotBefore: time.Date(2031, 1, 2, 3, 0, 0, 0, time.UTC), NotAfter: time.Date(2021, 1, 2, 3, 0, 0, 0, time.UTC),
			DNSNames: []string{"a.example", "b.example"},
		}
		return k
	}
	wanted := failed(attack.TLS, attack.PhaseTLS, attack.Alert(116))
	wanted.WantsCertificate = true
	nowhere := failed(attack.DNS, attack.PhaseDNS, attack.Detail{Kind: attack.DNSDetail, Code: attack.DNSNotFound})
	nowhere.Attempt.Conn = attack.Conn{}
	wrong := attack.Detail{Kind: attack.MalformedDetail, Code: attack.WrongProtocol}
	for _, c := range []struct {
		knocked wire.Knocked
		client  profiles.Client
		want    string
	}{
		{wire.Knocked{}, profiles.Client{}, ""},
		{certificate(attack.CertificateUnknownAuthority), profiles.Client{}, "certificate of orders: unknown authority; set client.tls.ca, or skip-verify"},
		{
			certificate(attack.CertificateUnknownAuthority),
			profiles.Client{TLS: profiles.TLS{CAFile: "ca.pem"}},
			"certificate of orders: unknown authority; client.tls.ca does not hold the one that signed it",
		},
		{certificate(attack.CertificateExpired), profiles.Client{}, "certificate of orders: expired on 2021-01-02; renew it, or set client.tls.skip-verify: true"},
		{
			certificate(attack.CertificateNotYetValid),
			profiles.Client{},
			"certificate of orders: not valid yet, only from 2031-01-02; check the clocks, or set client.tls.skip-verify: true",
		},
		{
			certificate(attack.CertificateWrongName),
			profiles.Client{},
			"certificate of orders: for a.example, b.example, not for the name in its url (orders.example); set server-name, or the url",
		},
		{
			wanted,
			profiles.Client{},
			"target orders: 192.0.2.1:443 wants a client certificate (tls-alert certificate-required); set client.tls.cert and client.tls.key",
		},
		{
			failed(attack.TLS, attack.PhaseTLS, wrong),
			profiles.Client{},
			"target orders: no TLS at 192.0.2.1:443; write http:// in its url, or the port that speaks TLS",
		},
		{
			failed(attack.Reset, attack.PhaseTLS, attack.Detail{}),
			profiles.Client{},
			"target orders: the TLS handshake with 192.0.2.1:443 ends with reset, 3 times out of 3; check that its port speaks TLS",
		},
		{
			failed(attack.Refused, attack.PhaseDial, attack.Detail{}),
			profiles.Client{},
			"target orders: 192.0.2.1:443 answers no connection: connection refused, nothing listens on 192.0.2.1:443; start the service, or check the port in its url",
		},
		{nowhere, profiles.Client{}, "target orders: orders.example answers no connection: orders.example does not resolve; check the name in its url"},
	} {
		got := ""
		if err := refusal("orders", "https://orders.example", c.client, c.knocked); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}
