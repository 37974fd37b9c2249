package classify

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"reflect"
	"time"

	"github.com/rampload/rampload/attack"
)

// Detail returns what an error says beyond its fault, by its type and never by its
// text. It is zero for an error that says no more than [Fault].
func Detail(err error) attack.Detail {
	var (
		own      Failed
		dns      *net.DNSError
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		verify   *tls.CertificateVerificationError
		record   tls.RecordHeaderError
		op       *net.OpError
	)
	switch {
	case err == nil:
		return attack.Detail{}
	case errors.As(err, &own):
		return own.Detail
	case errors.As(err, &dns):
		return attack.Detail{Kind: attack.DNSDetail, Code: dnsCode(dns)}
	case errors.As(err, &unknown):
		return certificate(attack.CertificateUnknownAuthority)
	case errors.As(err, &hostname):
		return certificate(attack.CertificateWrongName)
	case errors.As(err, &invalid):
		return certificate(invalidCode(invalid))
	case errors.As(err, &verify):
		return certificate(attack.CertificateInvalid)
	case errors.As(err, &record):
		return attack.Detail{Kind: attack.MalformedDetail, Code: attack.WrongProtocol}
	case errors.As(err, &op) && op.Op == "remote error":
		// crypto/tls does not export the type of an alert: a number of 8 bits.
		if v := reflect.ValueOf(op.Err); v.IsValid() && v.Kind() == reflect.Uint8 {
			return attack.Alert(uint8(v.Uint()))
		}
	}
	return attack.Detail{}
}

func certificate(code uint16) attack.Detail {
	return attack.Detail{Kind: attack.CertificateDetail, Code: code}
}

func invalidCode(err x509.CertificateInvalidError) uint16 {
	switch err.Reason {
	case x509.Expired: // also what is not valid yet
		if err.Cert != nil && err.Cert.NotBefore.After(time.Now()) {
			return attack.CertificateNotYetValid
		}
		return attack.CertificateExpired
	case x509.IncompatibleUsage, x509.CANotAuthorizedForThisName, x509.CANotAuthorizedForExtKeyUsage,
		x509.NameConstraintsWithoutSANs, x509.UnconstrainedName, x509.NotAuthorizedToSign:
		return attack.CertificateWrongUse
	}
	return attack.CertificateInvalid
}

func dnsCode(err *net.DNSError) uint16 {
	switch {
	case err.IsNotFound:
		return attack.DNSNotFound
	case err.IsTimeout:
		return attack.DNSTimeout
	case err.IsTemporary:
		return attack.DNSTemporary
	}
	return attack.DNSFailed
}
