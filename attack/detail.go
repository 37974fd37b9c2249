package attack

import (
	"strconv"
)

// Detail says what the fault's own protocol said about a failed attempt. It is
// comparable, so that it can key a map, and of bounded number: whatever a peer
// sends, there are a few hundred details at most. The zero value says nothing.
type Detail struct {
	Kind DetailKind
	Code uint16 // its meaning depends on Kind; see the constants and constructors below
}

// DetailKind is whose words a detail is.
type DetailKind uint8

// The kinds of details.
const (
	NoDetail          DetailKind = iota
	CertificateDetail            // why a certificate was refused, by us: CertificateUnknownAuthority ...
	AlertDetail                  // a TLS alert of the peer, by its number (RFC 8446 §6)
	HTTP2Detail                  // an HTTP/2 error code (RFC 9113 §7)
	DNSDetail                    // how a look-up ended: DNSNotFound ...
	MalformedDetail              // which part of a response was malformed: MalformedStatusLine ...
	GRPCDetail                   // a gRPC status code
	WebSocketDetail              // a WebSocket close code (RFC 6455 §7.4)
	ServerDetail                 // an error that a server of another protocol named: ServerTooManyClients ...
	ContentDetail                // which check or extract of a step an answer of an expected status failed: see Content
	detailKinds
)

// Why a certificate was refused.
const (
	CertificateInvalid          uint16 = iota // for another reason
	CertificateUnknownAuthority               // nobody whom we trust has signed it
	CertificateExpired
	CertificateNotYetValid
	CertificateWrongName // it is for other names than the one asked for
	CertificateWrongUse  // it may not be used for this: no server certificate, a constraint of its authority
)

// How a look-up of a name ended.
const (
	DNSFailed    uint16 = iota // for another reason
	DNSNotFound                // NXDOMAIN: there is no such name
	DNSTimeout                 // no server answered in time
	DNSTemporary               // SERVFAIL and the like: it may work later
	DNSNoAddress               // the name has no address of a family that is used
)

// Which part of a response was malformed.
const (
	MalformedResponse   uint16 = iota // in a way that has no name
	MalformedStatusLine               // no HTTP status line: another protocol answers
	MalformedHeader
	MalformedLength      // Content-Length or Transfer-Encoding contradict themselves
	MalformedChunk       // chunked coding
	MalformedEncoding    // a compressed body that does not unpack
	OversizedHeader      // more header than the client takes
	UnexpectedAnswer     // bytes that nobody had asked for
	MalformedFrame       // a frame that its protocol does not allow
	WrongProtocol        // the peer agreed on another protocol than was wanted
	ProxyRefused         // the proxy did not make the tunnel
	AnsweredBeforeAsked  // the response came before the request had been sent
	MalformedCompression // header compression (HPACK)
	Flooded              // more control frames than a peer may send

	// Of HTTP/2: a frame of wrong length or content, where it may not be, or in the
	// wrong order.
	MalformedFrameSize
	MalformedData
	MalformedHeaders
	MalformedReset
	MalformedSettings
	MalformedPush
	MalformedPing
	MalformedGoAway
	MalformedWindow       // also a window that grows beyond its limit
	MalformedContinuation // missing, or of nothing
	MalformedPseudoHeader // :status missing, late, twice or no status
	MalformedIdleStream   // a frame for a stream that was never opened
	MalformedFlow         // more data than the window allowed

	// Of gRPC.
	MalformedTrailers // grpc-status is missing, or no status
	MalformedMessage  // cut, of a kind that does not exist, or not as many as the method has
	OversizedMessage  // longer than the client takes
)

// What a server of another protocol said of itself.
const (
	ServerError          uint16 = iota // in words that have no name here
	ServerTooManyClients               // Redis "max number of clients reached", PostgreSQL 53300
	ServerAuthentication               // the credentials were refused
	ServerShuttingDown                 // it is about to end, or was told to
	ServerStartingUp                   // not ready yet
	ServerOutOfMemory
	ServerReadOnly
	ServerSlowConsumer // a broker gave up a client that reads too slowly
	UnexpectedReply    // an answer that the request did not expect
)

var detailKindNames = [detailKinds]string{
	"", "certificate", "tls-alert", "http2", "dns", "malformed", "grpc", "websocket", "server", "content",
}

var detailCodeNames = [detailKinds][]string{
	CertificateDetail: {"invalid", "unknown-authority", "expired", "not-yet-valid", "wrong-name", "wrong-use"},
	DNSDetail:         {"failed", "nxdomain", "timeout", "servfail", "no-address"},
	MalformedDetail: {
		"response", "status-line", "header", "length", "chunk", "encoding", "oversized-header", "unexpected-answer",
		"frame", "wrong-protocol", "proxy-refused", "answered-before-asked", "header-compression", "flood",
		"frame-size", "data-frame", "headers-frame", "rst-stream-frame", "settings-frame", "push-promise-frame",
		"ping-frame", "goaway-frame", "window-update-frame", "continuation-frame", "pseudo-header", "idle-stream",
		"flow-control", "trailers", "message", "oversized-message",
	},
	HTTP2Detail: {
		"no-error", "protocol-error", "internal-error", "flow-control-error", "settings-timeout", "stream-closed",
		"frame-size-error", "refused-stream", "cancel", "compression-error", "connect-error", "enhance-your-calm",
		"inadequate-security", "http-1.1-required", "unknown-code", "max-age", "max-idle", "too-many-pings",
	},
	GRPCDetail: {
		"ok", "cancelled", "unknown", "invalid-argument", "deadline-exceeded", "not-found", "already-exists",
		"permission-denied", "resource-exhausted", "failed-precondition", "aborted", "out-of-range", "unimplemented",
		"internal", "unavailable", "data-loss", "unauthenticated", "unknown-code",
	},
	ServerDetail: {
		"error", "too-many-clients", "authentication", "shutting-down", "starting-up", "out-of-memory", "read-only",
		"slow-consumer", "unexpected-reply",
	},
}

// The TLS alerts that a peer may send (RFC 8446 §6); others go by their number.
var alertNames = map[uint16]string{
	0: "close-notify", 10: "unexpected-message", 20: "bad-record-mac", 22: "record-overflow", 40: "handshake-failure",
	42: "bad-certificate", 43: "unsupported-certificate", 44: "certificate-revoked", 45: "certificate-expired",
	46: "certificate-unknown", 47: "illegal-parameter", 48: "unknown-ca", 49: "access-denied", 50: "decode-error",
	51: "decrypt-error", 70: "protocol-version", 71: "insufficient-security", 80: "internal-error",
	86: "inappropriate-fallback", 90: "user-canceled", 109: "missing-extension", 110: "unsupported-extension",
	112: "unrecognized-name", 113: "bad-certificate-status", 115: "unknown-psk-identity", 116: "certificate-required",
	120: "no-application-protocol",
}

// HTTP2Code returns the detail of an HTTP/2 error code; codes that no
// specification has are one.
func HTTP2Code(code uint32) Detail {
	return Detail{HTTP2Detail, uint16(min(code, http2Unknown))}
}

// Details of a GOAWAY whose reason the peer gives in words beside the code.
const (
	http2Unknown uint32 = iota + 14
	goAwayMaxAge
	goAwayMaxIdle
	goAwayTooManyPings
)

// GoAway returns the detail of a GOAWAY: of its code, or of the reason that gRPC servers
// give beside it.
func GoAway(code uint32, reason string) Detail {
	switch reason {
	case "max_age":
		code = goAwayMaxAge
	case "max_idle":
		code = goAwayMaxIdle
	case "too_many_pings":
		code = goAwayTooManyPings
	default:
		return HTTP2Code(code)
	}
	return Detail{HTTP2Detail, uint16(code)}
}

// GRPCCode returns the detail of a gRPC status; codes that no specification has
// are one.
func GRPCCode(code uint32) Detail {
	return Detail{GRPCDetail, uint16(min(uint64(code), uint64(len(detailCodeNames[GRPCDetail])-1)))}
}

// HTTPStatus returns the status of HTTP that says about the same as a status of gRPC, as
// gateways between them translate (google/rpc/code.proto); 0 for any other detail.
func (d Detail) HTTPStatus() uint16 {
	if d.Kind != GRPCDetail {
		return 0
	}
	same := [...]uint16{200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401}
	if int(d.Code) >= len(same) {
		return 500
	}
	return same[d.Code]
}

// mostContent bounds the checks and extracts of a step that are told from each other.
const mostContent = 99

// Content returns the detail of an answer whose status is expected, and whose content is
// not what its step asks for: index is that of the check or extract that failed, from 0,
// checks first. Those beyond the 99th are one.
func Content(index int) Detail { return Detail{ContentDetail, uint16(min(index, mostContent-1)) + 1} }

// Told returns the detail as reports have it, with the name of the check or extract that
// failed where names have it: they are those of the step, in order.
func (d Detail) Told(names []string) string {
	if d.Kind == ContentDetail && d.Code > 0 && int(d.Code) <= len(names) {
		return names[d.Code-1]
	}
	return d.String()
}

// Alert returns the detail of a TLS alert of the peer.
func Alert(code uint8) Detail { return Detail{AlertDetail, uint16(code)} }

// CloseCode returns the detail of a WebSocket close code. Applications' own codes,
// from 3000 on, are two: those of libraries (3000) and private ones (4000).
func CloseCode(code uint16) Detail {
	switch {
	case code >= 5000 || code < 1000:
		code = 0
	case code >= 4000:
		code = 4000
	case code >= 3000:
		code = 3000
	case code > 1015:
		code = 1015 + 1 // reserved, and not assigned
	}
	return Detail{WebSocketDetail, code}
}

// IsZero reports whether the detail says nothing.
func (d Detail) IsZero() bool { return d == Detail{} }

// String returns kind and code as reports have them, such as
// "certificate expired", "http2 refused-stream" or "tls-alert 200", and "" for the
// zero Detail.
func (d Detail) String() string {
	if d.IsZero() {
		return ""
	}
	if d.Kind >= detailKinds || d.Kind == NoDetail {
		return "invalid"
	}
	return detailKindNames[d.Kind] + " " + d.code()
}

func (d Detail) code() string {
	if names := detailCodeNames[d.Kind]; int(d.Code) < len(names) {
		return names[d.Code]
	}
	if name, ok := alertNames[d.Code]; ok && d.Kind == AlertDetail {
		return name
	}
	return strconv.Itoa(int(d.Code))
}

// valid reports whether the detail is one that this build can name.
func (d Detail) valid() bool {
	switch {
	case d.Kind >= detailKinds:
		return false
	case d.Kind == NoDetail:
		return d.Code == 0
	case d.Kind == AlertDetail:
		return d.Code <= 255
	case d.Kind == WebSocketDetail:
		return d.Code < 5000
	case d.Kind == ContentDetail:
		return d.Code > 0 && d.Code <= mostContent
	}
	return int(d.Code) < len(detailCodeNames[d.Kind])
}
