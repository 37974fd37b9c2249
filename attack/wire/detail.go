package wire

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"reflect"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/http2"
)

// DetailOf returns what an error says beyond its fault, by its type and never by its
// text. It is zero for an error that says no more than [Classify].
func DetailOf(err error) attack.Detail {
	var (
		part     malformed
		dns      *net.DNSError
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		verify   *tls.CertificateVerificationError
		record   tls.RecordHeaderError
		op       *net.OpError
		stream   *http2.ResetError
		goAway   *http2.GoAwayError
		broken   *http2.MalformedError
	)
	switch {
	case err == nil:
		return attack.Detail{}
	case errors.As(err, &part):
		return attack.Detail{Kind: attack.MalformedDetail, Code: uint16(part)}
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
	case errors.As(err, &stream):
		return attack.HTTP2Code(uint32(stream.Code))
	case errors.As(err, &goAway):
		return attack.HTTP2Code(uint32(goAway.Code))
	case errors.As(err, &broken):
		return attack.Detail{Kind: attack.MalformedDetail, Code: malformedHTTP2[broken.What]}
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

// malformedHTTP2 are the details of what can be malformed in HTTP/2.
var malformedHTTP2 = [http2.MalformedKinds]uint16{
	http2.NotHTTP2:       attack.WrongProtocol,
	http2.FrameSize:      attack.MalformedFrameSize,
	http2.DataFrame:      attack.MalformedData,
	http2.HeadersFrame:   attack.MalformedHeaders,
	http2.PriorityFrame:  attack.MalformedFrame,
	http2.ResetFrame:     attack.MalformedReset,
	http2.SettingsFrame:  attack.MalformedSettings,
	http2.PushFrame:      attack.MalformedPush,
	http2.PingFrame:      attack.MalformedPing,
	http2.GoAwayFrame:    attack.MalformedGoAway,
	http2.WindowFrame:    attack.MalformedWindow,
	http2.HeaderOrder:    attack.MalformedContinuation,
	http2.HeaderBlock:    attack.MalformedCompression,
	http2.HeaderSize:     attack.OversizedHeader,
	http2.HeaderField:    attack.MalformedHeader,
	http2.PseudoHeader:   attack.MalformedPseudoHeader,
	http2.StatusField:    attack.MalformedPseudoHeader,
	http2.ContentLength:  attack.MalformedLength,
	http2.UnexpectedBody: attack.UnexpectedAnswer,
	http2.IdleStream:     attack.MalformedIdleStream,
	http2.FlowControl:    attack.MalformedFlow,
	http2.Flood:          attack.Flooded,
}
