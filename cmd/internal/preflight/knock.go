package preflight

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/watch"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
)

// errNoAnswer says that a target answered no connection.
var errNoAnswer = errors.New("answers no connection")

// knocks is how often a handshake is tried that the target cut off: one cut at
// random is what a run is there to count.
const knocks = 3

// Knock opens one connection to a base URL of a target, as the load will, with its
// TLS handshake, and closes it: a load on nothing is a waste of everybody's time.
func Knock(ctx context.Context, p profiles.Profile, t profiles.Target, base profiles.Base) error {
	cfg := attack.ClientConfig{Profile: t, Client: p.Client}
	cfg.Profile.URL, cfg.Profile.Requests, cfg.Profile.File, cfg.Profile.Read = base.URL, base.Requests, "", nil
	cfg.Client.Timeout = preflightTimeout
	var k wire.Knocked
	for range knocks {
		var err error
		if k, err = protocol.Knock(ctx, cfg); err != nil {
			return console.Usage(fmt.Errorf("target %s: %w", t.Name, err))
		}
		if k.Attempt.Phase != attack.PhaseTLS || !cutOff(k.Attempt.Fault) || ctx.Err() != nil {
			break
		}
	}
	if k.Attempt.Phase == attack.PhaseTLS {
		if what := Mistaken(ctx, cfg.Profile, k.Attempt); what != "" {
			return console.NotRun(fmt.Errorf("target %s: %s", t.Name, what))
		}
	}
	if err := refusal(t.Name, base.URL, p.Client, k); err != nil {
		return console.NotRun(err)
	}
	switch {
	case !cfg.Profile.Speaks().OverHTTP():
		return exchange(ctx, p, cfg)
	case cfg.Profile.Speaks() == profiles.SpeaksGRPC && len(cfg.Profile.GRPC.Protos) > 0:
		return askGRPC(ctx, p, cfg)
	}
	return nil
}

// cutOff reports whether a fault may be another one, or none, at the next try.
func cutOff(f attack.Fault) bool {
	return f == attack.Reset || f == attack.EOF || f == attack.BrokenPipe || f == attack.Timeout
}

// refusal says in one line why a target cannot be spoken to and what to do; nil
// when it can.
func refusal(name, base string, c profiles.Client, k wire.Knocked) error {
	where := knockedAt(base, k.Attempt)
	a := k.Attempt
	switch {
	case a.Fault == attack.None:
		return nil
	case a.Detail.Kind == attack.CertificateDetail:
		return fmt.Errorf("certificate of %s: %s", name, certificateTrouble(base, c, k))
	case k.WantsCertificate && a.Detail.Kind == attack.AlertDetail:
		return fmt.Errorf("target %s: %s wants a client certificate (%s); set client.tls.cert and client.tls.key", name, where, a.Detail)
	case a.Detail == attack.Detail{Kind: attack.MalformedDetail, Code: attack.WrongProtocol} && c.Protocol == profiles.ProtocolHTTP2:
		return fmt.Errorf("target %s: %s agrees on no HTTP/2; set client.protocol: auto", name, where)
	case a.Detail == attack.Detail{Kind: attack.MalformedDetail, Code: attack.WrongProtocol}:
		return fmt.Errorf("target %s: no TLS at %s; write http:// in its url, or the port that speaks TLS", name, where)
	case a.Detail.Kind == attack.AlertDetail:
		return fmt.Errorf("target %s: %s refuses the TLS handshake (%s); %s", name, where, a.Detail, alertHint(a.Detail))
	case a.Detail == attack.Detail{Kind: attack.MalformedDetail, Code: attack.ProxyRefused}:
		return fmt.Errorf("target %s: the proxy at %s makes no tunnel%s; check HTTPS_PROXY, or set client.proxy: none", name, where, statusOf(a))
	case a.Phase == attack.PhaseTLS:
		return fmt.Errorf("target %s: the TLS handshake with %s ends with %s, %d times out of %d; check that its port speaks TLS", name, where, a.Fault, knocks, knocks)
	}
	return fmt.Errorf("target %s: %s %w: %s; %s", name, where, errNoAnswer, dialTrouble(base, a), dialHint(a))
}

// certificateTrouble says what is wrong with a certificate, and what to do.
func certificateTrouble(base string, c profiles.Client, k wire.Knocked) string {
	const skip = "or set client.tls.skip-verify: true"
	switch k.Attempt.Detail.Code {
	case attack.CertificateUnknownAuthority:
		if c.TLS.CAFile != "" {
			return "unknown authority; client.tls.ca does not hold the one that signed it"
		}
		return "unknown authority; set client.tls.ca, or skip-verify"
	case attack.CertificateExpired:
		return fmt.Sprintf("expired%s; renew it, %s", certificateDay(k, " on "), skip)
	case attack.CertificateNotYetValid:
		return fmt.Sprintf("not valid yet%s; check the clocks, %s", certificateDay(k, ", only from "), skip)
	case attack.CertificateWrongName:
		return fmt.Sprintf("for %s, not for the name in its url (%s); set server-name, or the url", certificateNames(k), watch.TargetHost(base))
	case attack.CertificateWrongUse:
		return "not for servers; use another, " + skip
	}
	return "invalid; use another, " + skip
}

func certificateDay(k wire.Knocked, before string) string {
	if k.Certificate == nil {
		return ""
	}
	at := k.Certificate.NotAfter
	if k.Attempt.Detail.Code == attack.CertificateNotYetValid {
		at = k.Certificate.NotBefore
	}
	return before + at.UTC().Format(time.DateOnly)
}

// maxNames bounds how many names of a certificate are said.
const maxNames = 3

func certificateNames(k wire.Knocked) string {
	if k.Certificate == nil {
		return "other names"
	}
	names := k.Certificate.DNSNames
	for _, ip := range k.Certificate.IPAddresses {
		names = append(names, ip.String())
	}
	switch {
	case len(names) == 0:
		return "no name at all"
	case len(names) > maxNames:
		return strings.Join(names[:maxNames], ", ") + " ..."
	}
	return strings.Join(names, ", ")
}

func alertHint(d attack.Detail) string {
	switch d {
	case attack.Alert(112): // unrecognized_name
		return "it does not know the server name: set server-name"
	case attack.Alert(70), attack.Alert(71): // protocol_version, insufficient_security
		return "it speaks other versions of TLS than 1.2 and 1.3"
	case attack.Alert(120): // no_application_protocol
		return "it speaks none of the protocols offered: set client.protocol"
	case attack.Alert(116), attack.Alert(42), attack.Alert(45), attack.Alert(46), attack.Alert(48):
		return "it does not accept the client's certificate: check client.tls.cert"
	}
	return "its log says why"
}

func statusOf(a attack.Attempt) string {
	if a.Status == 0 {
		return ""
	}
	return fmt.Sprintf(" (status %d)", a.Status)
}

// knockedAt is where the connection went, as far as it got.
func knockedAt(base string, a attack.Attempt) string {
	if a.Conn.Remote.IsValid() {
		return a.Conn.Remote.String()
	}
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return "its url"
	case u.Scheme == "unix":
		return u.Path
	}
	return u.Host
}

func dialTrouble(base string, a attack.Attempt) string {
	switch {
	case a.Phase == attack.PhaseDNS && a.Detail.Kind == attack.DNSDetail && a.Detail.Code == attack.DNSNotFound:
		return watch.TargetHost(base) + " does not resolve"
	case a.Phase == attack.PhaseDNS:
		return fmt.Sprintf("%s does not resolve (%s)", watch.TargetHost(base), a.Detail)
	case a.Fault == attack.Refused && !a.Conn.Remote.IsValid():
		return "nothing listens on the socket"
	case a.Fault == attack.Refused:
		return "connection refused, nothing listens on " + a.Conn.Remote.String()
	case a.Fault == attack.Timeout:
		return "no answer within " + spelling.FormatDuration(preflightTimeout)
	}
	return a.Fault.String()
}

func dialHint(a attack.Attempt) string {
	switch {
	case a.Phase == attack.PhaseDNS:
		return "check the name in its url"
	case a.Fault == attack.Refused:
		return "start the service, or check the port in its url"
	case a.Fault == attack.Timeout:
		return "check the address and the firewall between"
	}
	return "check its url"
}
