package preflight

import (
	"context"
	"fmt"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/recognize"
	"github.com/rampload/rampload/profiles"
)

// Mistaken says that the other end of a failed attempt speaks something else than its target
// does, as far as it can be found out by asking it; "" where it cannot, or does not. It asks
// only where [MayBeMistaken].
func Mistaken(ctx context.Context, t profiles.Target, a attack.Attempt) string {
	if !MayBeMistaken(a) || t.Speaks() == profiles.SpeaksBytes {
		return ""
	}
	is := recognize.Ask(ctx, "tcp", a.Conn.Remote.String())
	switch {
	case is == recognize.Unknown:
		return ""
	case a.Phase == attack.PhaseTLS:
		return fmt.Sprintf("%s answers like %s, without TLS; check scheme and port of its url", a.Conn.Remote, is)
	case is.Like(t.Speaks()):
		return ""
	}
	return fmt.Sprintf("%s answers like %s, not like %s; check scheme and port of its url", a.Conn.Remote, is, recognize.Named(t.Speaks()))
}

// MayBeMistaken reports whether an attempt failed as one does whose other end speaks
// something else: on a connection, and without a word of the protocol.
func MayBeMistaken(a attack.Attempt) bool {
	switch a.Fault {
	case attack.Protocol, attack.Timeout, attack.EOF, attack.Reset, attack.BrokenPipe, attack.TLS, attack.HTTP2GoAway:
	default:
		return false
	}
	return a.Phase >= attack.PhaseTLS && a.Conn.Remote.IsValid() && (a.Detail.IsZero() || a.Detail.Kind == attack.MalformedDetail)
}
