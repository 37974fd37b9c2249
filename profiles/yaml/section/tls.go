package section

import (
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/scalar"
)

// TLSSyntax is how something is spoken to over TLS.
type TLSSyntax struct {
	ServerName *scalar.Text   `yaml:"server-name" about:"Name to ask for and to check. Without it: the host of the url."`
	CA         *scalar.Text   `yaml:"ca" about:"File with the certificates to trust (PEM). Without it: the system's."`
	Cert       *scalar.Text   `yaml:"cert" about:"File with the client's certificate (PEM)."`
	Key        *scalar.Text   `yaml:"key" about:"File with the client's key (PEM)."`
	SkipVerify *scalar.Toggle `yaml:"skip-verify" about:"Trust any certificate. The report says so."`
	Resume     *scalar.Toggle `yaml:"resume" about:"Resume the TLS session of an earlier connection, as browsers do. Without it: each connection makes a whole handshake."`
}

// TLSOf is the inverse of [TLSSyntax.TLS].
func TLSOf(t profiles.TLS) *TLSSyntax {
	if t == (profiles.TLS{}) {
		return nil
	}
	return &TLSSyntax{
		ServerName: bind.Given(scalar.Text(t.ServerName)), CA: bind.Given(scalar.Text(t.CAFile)),
		Cert: bind.Given(scalar.Text(t.CertFile)), Key: bind.Given(scalar.Text(t.KeyFile)), SkipVerify: bind.Given(scalar.Toggle(t.SkipVerify)),
		Resume: bind.Given(scalar.Toggle(t.Resume)),
	}
}

// TLS returns the settings; those of nil are the zero value.
func (s *TLSSyntax) TLS() profiles.TLS {
	if s == nil {
		return profiles.TLS{}
	}
	return profiles.TLS{
		ServerName: string(bind.Deref(s.ServerName)), CAFile: string(bind.Deref(s.CA)),
		CertFile: string(bind.Deref(s.Cert)), KeyFile: string(bind.Deref(s.Key)), SkipVerify: bool(bind.Deref(s.SkipVerify)),
		Resume: bool(bind.Deref(s.Resume)),
	}
}
