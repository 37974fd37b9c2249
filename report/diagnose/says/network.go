package says

import "strings"

// tlsAlert is a TLS alert (RFC 8446 §6): its number, its name and what it says. Alerts that say
// nothing about certificates, versions or keys are left out.
type tlsAlert struct {
	number  int
	name    string
	meaning Meaning
}

var tlsAlerts = []tlsAlert{
	{40, "handshake_failure", Mismatch},
	{41, "no_certificate", Certificate},
	{42, "bad_certificate", Certificate},
	{43, "unsupported_certificate", Certificate},
	{44, "certificate_revoked", Certificate},
	{45, "certificate_expired", Certificate},
	{46, "certificate_unknown", Certificate},
	{48, "unknown_ca", Certificate},
	{70, "protocol_version", Mismatch},
	{71, "insufficient_security", Mismatch},
	{86, "inappropriate_fallback", Mismatch},
	{109, "missing_extension", Mismatch},
	{112, "unrecognized_name", Certificate},
	{113, "bad_certificate_status_response", Certificate},
	{115, "unknown_psk_identity", Certificate},
	{116, "certificate_required", Certificate},
	{120, "no_application_protocol", Mismatch},
}

// alertOf returns what an alert says, by its number.
func alertOf(n int) (coded, bool) {
	for _, a := range tlsAlerts {
		if a.number == n {
			return coded{meaning: a.meaning, of: Behind}, true
		}
	}
	return coded{}, false
}

// networkWords are the wordings of libraries for TLS alerts and for errors of certificates and names:
// OpenSSL, Go, Java, Node, rustls, and resolvers.
func networkWords() []wording {
	out := []wording{
		{Certificate, Behind, []string{
			"invalid peer certificate", "the remote certificate is invalid", "remote certificate was rejected", "certificate has been revoked", "certificate is revoked", "certificate signed by unknown", "certificate chain is not trusted", "unable to get issuer certificate",
			"unable to verify the first certificate", "certificate signature failure", "certificate chain too long", "unsupported certificate purpose", "ca md too weak", "ee key too small", "does not match the certificate subject",
			"doesn't match any of the subject alternative names", "no subject alternative", "no name matching", "hostname/ip does not match", "doesn't match certificate", "certificate expired on", "tls: failed to verify certificate",
			"certificate verify failed", "trust anchor for certification path not found", "remote error: tls: expired certificate", "remote error: tls: unknown certificate", "unknownissuer", "notvalidforname",
		}},
		{Mismatch, Behind, []string{"tls: no supported versions", "no ciphers available", "no suites in common", "no cipher suites in common", "no protocols in common", "ssl routines::unsupported protocol", "dh key too small", "unsafe legacy renegotiation", "received an unexpected token", "the client and server cannot communicate, because they do not possess a common"}},
		{NoConnect, Behind, []string{"tls handshake timeout", "ssl connection timeout", "handshake timed out"}},
		{Name, Writer, []string{
			"dial tcp: lookup ", "dial udp: lookup ", ") while resolving", "querya e", "queryaaaa e", "querysrv e", "no such host is known", "name does not resolve",
			"failed to lookup address information", "no record found for", "no address associated with", "could not contact dns servers", "dns query timed out", "dns server returned", "no resolver defined to resolve", "failed to resolve host", "failed to resolve name", "failed to resolve address", "failed to resolve '", "could not translate host name", "name has no usable address",
			"no nameservers could answer", "hostname lookup failure", "unresolved address", "dns lookup failed", "dns failure", "temporary failure resolving",
		}},
		{NoRoute, Behind, []string{"destination host unreachable", "unreachable host", "network is down", "no route available"}},
	}
	for _, a := range tlsAlerts {
		spaced := strings.ReplaceAll(a.name, "_", " ")
		out = append(out, wording{a.meaning, Behind, []string{
			"alert: " + a.name, "alert: " + strings.ReplaceAll(a.name, "_", ""), "alert: " + spaced, "alert " + spaced, "tls: " + spaced, "alert(" + a.name, "alert_" + a.name,
		}})
	}
	return out
}

// rcodes are DNS response codes, which count only behind the word "rcode".
var rcodes = map[string]coded{"servfail": {Name, Writer, false}, "nxdomain": {Name, Writer, false}, "refused": {Name, Writer, false}}

// networkNames are codes and exception classes for names, certificates and connections. Those of
// X.509 are OpenSSL's.
var networkNames = []naming{
	{Name, Writer, "SERVFAIL ESERVFAIL EAI_AGAIN EAI_NONAME EAI_NODATA EAI_FAIL gaierror UnknownHost NoNameservers LifetimeTimeout ClientConnectorDNSError NameResolutionError DnsNameResolverTimeout DnsNameResolverException SearchDomainUnknownHost UnresolvedAddressException SequelizeHostNotFoundError ERR_DNS_FAIL ERR_NAME_NOT_RESOLVED NameNotFoundException ENOTFOUND"},
	{
		Certificate, Behind, "SSLCertVerificationError CertificateError ClientConnectorCertificateError CertificateExpired CertificateNotYetValid CertPathValidator CertPathBuilder SSLPeerUnverified SunCertPathBuilder " +
			"CERT_NOT_YET_VALID CERT_HAS_EXPIRED CERT_REVOKED CERT_UNTRUSTED CERT_REJECTED CERT_SIGNATURE_FAILURE CERT_CHAIN_TOO_LONG SELF_SIGNED_CERT_IN_CHAIN DEPTH_ZERO_SELF_SIGNED_CERT UNABLE_TO_GET_ISSUER_CERT UNABLE_TO_GET_ISSUER_CERT_LOCALLY " +
			"UNABLE_TO_VERIFY_LEAF_SIGNATURE UNABLE_TO_GET_CRL CRL_HAS_EXPIRED HOSTNAME_MISMATCH INVALID_CA INVALID_PURPOSE PATH_LENGTH_EXCEEDED EE_KEY_TOO_SMALL CA_KEY_TOO_SMALL CA_MD_TOO_WEAK ERR_TLS_CERT_ALTNAME_INVALID " +
			"ERR_SSL_TLSV1_ALERT_UNKNOWN_CA ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED ERR_CERT_DATE_INVALID ERR_CERT_AUTHORITY_INVALID ERR_CERT_COMMON_NAME_INVALID " +
			"ERR_BAD_SSL_CLIENT_AUTH_CERT ERR_SECURE_CONNECT_FAIL UnknownIssuer NotValidForName NotValidYet X509_V_ERR_CERT_HAS_EXPIRED X509_V_ERR_CERT_NOT_YET_VALID",
	},
	{Mismatch, Behind, "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE ERR_SSL_UNSUPPORTED_PROTOCOL ERR_SSL_NO_CIPHERS_AVAILABLE ERR_SSL_VERSION_OR_CIPHER_MISMATCH NO_SHARED_CIPHER UNSUPPORTED_PROTOCOL TLSV1_ALERT_PROTOCOL_VERSION SSLV3_ALERT_HANDSHAKE_FAILURE NO_APPLICATION_PROTOCOL PeerIncompatible"},
	{Refused, Behind, "ConnectionRefusedError ConnectionRefused PortUnreachable"},
	{NoRoute, Behind, "NoRouteToHost NetworkUnreachable NET_UNREACHABLE HOST_UNREACHABLE"},
	{Reset, Behind, "ConnectionResetError ConnectionReset BrokenPipeError ConnectionAbortedError"},
	{Closed, Behind, "RemoteDisconnected ServerDisconnected ServerDisconnectedError NoHttpResponse ClosedChannel PrematureClose ERR_STREAM_PREMATURE_CLOSE ERR_HTTP2_GOAWAY_SESSION ERR_EMPTY_RESPONSE ERR_ZERO_SIZE_OBJECT ERR_READ_ERROR AlreadyClosedException UND_ERR_SOCKET ConnectionClosedException IncompleteMessage ConnectionLoss"},
	{NoConnect, Behind, "ConnectTimeout ConnectTimeoutException HttpConnectTimeout ConnectionTimeoutError ERR_SOCKET_CONNECTION_TIMEOUT UND_ERR_CONNECT_TIMEOUT OpenTimeout SequelizeConnectionTimedOutError ERR_CONNECTION_TIMED_OUT ConnectionTimedOut"},
	{Slow, Behind, "ReadTimeout ReadTimeoutException ReadTimeoutError SocketTimeout ServerTimeoutError HttpTimeout HttpTimeoutException UND_ERR_HEADERS_TIMEOUT UND_ERR_BODY_TIMEOUT WriteTimeoutException ERR_READ_TIMEOUT ERR_WRITE_TIMEOUT TimeoutRejected NavigationTimeout"},
	{Short, Writer, "IncompleteRead ClientPayloadError ERR_CONTENT_LENGTH_MISMATCH UND_ERR_RES_CONTENT_LENGTH_MISMATCH ConnectionClosedPrematurely ContentLengthMismatch"},
	{BadAnswer, Writer, "BadStatusLine UND_ERR_HEADERS_OVERFLOW HPE_INVALID_CONSTANT HPE_INVALID_HEADER_TOKEN HPE_INVALID_CONTENT_LENGTH HPE_INVALID_CHUNK_SIZE HPE_INVALID_VERSION HPE_INVALID_STATUS UnsupportedHttpVersion MalformedChunkCoding"},
	{Ports, Writer, "AddressNotAvailable"},
}
