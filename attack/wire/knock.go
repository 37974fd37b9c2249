package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/classify"
)

// Knocked is what one connection to a target met.
type Knocked struct {
	// Attempt has the fault, detail and phase of what failed, and the remote address.
	// Without a fault the target can be spoken to.
	Attempt attack.Attempt
	// WantsCertificate says that the peer asked for a client certificate, and that
	// the profile has none.
	WantsCertificate bool
	// Certificate is the peer's, when it is the reason of the fault; else nil.
	Certificate *x509.Certificate
}

// alertWait bounds the wait for what a TLS 1.3 server says of the client's
// certificate: its alert comes after the handshake (RFC 8446 §4.4.2.4).
const alertWait = 500 * time.Millisecond

// Knock opens one connection as a client of the target would, through its proxy and
// with its TLS handshake, and closes it. No request is sent, and to a target without
// TLS not a single byte. It ends within the profile's timeout for each
// address, or with ctx. An error is one of the configuration: see [New].
func Knock(ctx context.Context, cfg attack.ClientConfig, protocol Protocol) (Knocked, error) {
	t, err := New(ConfigOf(cfg, protocol))
	if err != nil {
		return Knocked{}, err
	}
	defer context.AfterFunc(ctx, t.Abort)()
	var out Knocked
	a := &out.Attempt
	deadline := t.begin(a)
	d := t.dialer
	t.open.Add(1)
	c := d.open(a, deadline, noMatter)
	for tried := map[netip.AddrPort]bool{}; c == nil && a.Conn.Remote.IsValid() && !tried[a.Conn.Remote]; {
		// Another address of the name may answer.
		tried[a.Conn.Remote] = true
		failed := *a
		if deadline = t.begin(a); ctx.Err() == nil {
			c = d.open(a, deadline, noMatter)
		}
		if c == nil && tried[a.Conn.Remote] {
			*a = failed
			break
		}
	}
	if c == nil {
		t.open.Add(-1)
		return out, t.Close()
	}
	a.Conn.Local, a.Conn.Remote = c.Addrs()
	if d.tunnel(c, a) && d.tls != nil && d.upgrade(c, a) {
		out.handshake(d, c)
	}
	c.state.Store(stateLinger)
	t.open.Add(-1)
	t.bury(c)
	return out, t.Close()
}

// handshake makes the target's TLS handshake.
func (k *Knocked) handshake(d *dialer, c *Conn) {
	asked := false
	cfg := d.tls.Clone()
	cfg.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked = true
		for i := range d.tls.Certificates {
			if info.SupportsCertificate(&d.tls.Certificates[i]) == nil {
				return &d.tls.Certificates[i], nil
			}
		}
		return new(tls.Certificate), nil
	}
	next := tls.Client(c.Under(), cfg)
	err := next.Handshake()
	c.Secured(next)
	k.WantsCertificate = asked && len(d.tls.Certificates) == 0
	if err == nil && asked {
		c.SetDeadline(c.t.clock() + alertWait)
		if _, err = c.TLS().Read(make([]byte, 1)); !classify.Alerted(err) {
			err = nil
		}
	}
	if err == nil && !d.agreed(next.ConnectionState().NegotiatedProtocol) {
		err = ErrAgreed
	}
	if err == nil {
		return
	}
	c.Fail(&k.Attempt, attack.PhaseTLS, err)
	if k.Attempt.Fault == attack.Protocol {
		k.Attempt.Fault = attack.TLS
	}
	var refused *tls.CertificateVerificationError
	if errors.As(err, &refused) && len(refused.UnverifiedCertificates) > 0 {
		k.Certificate = refused.UnverifiedCertificates[0]
	}
}
