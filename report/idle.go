package report

import (
	"fmt"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/format"
)

// DescribeIdle says what a sweep of idle times means for a client that keeps its
// idle connections for the given time, 0 for ever.
func DescribeIdle(s attack.IdleSweep, client time.Duration) IdleSweep {
	out := IdleSweep{
		End: s.End, FromS: s.From.Seconds(), ToS: s.To.Seconds(), Tries: []IdleTry{}, Error: s.Error,
	}
	for _, t := range s.Tries {
		out.Tries = append(out.Tries, IdleTry{PlannedS: t.Planned.Seconds(), LastedS: t.Lasted.Seconds(), End: t.End})
	}
	if client > 0 {
		out.ClientS = positive(client)
	}
	out.AliveS, out.GoneS = positive(s.Alive), positive(s.Gone)
	if s.Error != "" {
		out.End, out.Summary = "unknown", "no idle timeout is known: "+s.Error
		return out
	}
	out.Summary, out.Advice = idleVerdict(s, client)
	return out
}

func positive(d time.Duration) *float64 {
	if d <= 0 {
		return nil
	}
	s := d.Seconds()
	return &s
}

// Resets reports whether the client's idle connections meet the server's timeout.
func (s IdleSweep) Resets() bool {
	return s.GoneS != nil && (s.ClientS == nil || *s.GoneS <= *s.ClientS)
}

func idleVerdict(s attack.IdleSweep, client time.Duration) (summary, advice string) {
	gone, span := format.Seconds(s.Gone.Seconds()), format.Seconds(s.Alive.Seconds())+" to "+format.Seconds(s.Gone.Seconds())
	switch s.End {
	case "alive":
		return fmt.Sprintf("connections live for %s without a request and longer: no idle timeout was met", format.Seconds(s.To.Seconds())), ""
	case "closed":
		summary = "server closes idle connections after " + gone
	case "reset":
		summary = "idle connections are reset after " + gone
	case "reset on use":
		summary = "idle connections are forgotten after " + span + ", and the next request is reset"
	case "closed on use":
		summary = "idle connections are forgotten after " + span + ", and the next request is cut off"
	case "no answer on use":
		summary = "idle connections are forgotten after " + span + ", and the next request gets no answer"
	default:
		summary = fmt.Sprintf("idle connections end after %s (%s)", gone, s.End)
	}
	keeps := "for ever"
	if client > 0 {
		keeps = format.Seconds(client.Seconds())
	}
	if client > 0 && s.Gone > client {
		return fmt.Sprintf("%s, your client keeps them %s, which is shorter: no resets from idle connections", summary, keeps), ""
	}
	return fmt.Sprintf("%s, your client keeps them %s: expect resets", summary, keeps),
		fmt.Sprintf("close idle connections in the client sooner, after %s, or keep them longer on the server and every proxy between", format.Seconds(0.8*s.Gone.Seconds()))
}
