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
// only where the failure may come of that.
func Mistaken(ctx context.Context, t profiles.Target, a attack.Attempt) string {
	switch a.Fault {
	case attack.Protocol, attack.Timeout, attack.EOF, attack.Reset, attack.BrokenPipe, attack.TLS, attack.HTTP2GoAway:
	default:
		return ""
	}
	if a.Phase < attack.PhaseTLS || !a.Conn.Remote.IsValid() || t.Speaks() == profiles.SpeaksBytes || !a.Detail.IsZero() && a.Detail.Kind != attack.MalformedDetail {
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
