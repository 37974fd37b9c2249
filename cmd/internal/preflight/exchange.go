package preflight

import (
	"context"
	"fmt"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/ramp"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/redaction"
)

// exchange makes the first request of a target that does not speak HTTP, once: whether
// the other end speaks the protocol, and takes the credentials, no connection alone
// shows. Pauses of a script are left out.
func exchange(ctx context.Context, p profiles.Profile, cfg attack.ClientConfig) error {
	name := cfg.Profile.Name
	if len(cfg.Profile.Requests) == 0 {
		return nil
	}
	r := cfg.Profile.Requests[0]
	var script []profiles.Turn
	for _, t := range r.Script {
		if t.Kind != profiles.TurnHold {
			script = append(script, t)
		}
	}
	r.Script = script
	cfg.RunID, cfg.Data = attack.NewRunID(), p.Data
	client, err := protocol.Open(cfg)
	if err != nil {
		return console.Usage(fmt.Errorf("target %s: %w", name, err))
	}
	defer client.Close()
	defer context.AfterFunc(ctx, client.Abort)()
	compiled, err := client.Compile(r)
	if err != nil {
		return console.Usage(fmt.Errorf("target %s: request 1: %w", name, err))
	}
	a := attack.Attempt{Reply: &attack.Reply{Limit: attack.MaxAnswerBody}}
	ramp.NewFiller(p, cfg.RunID).Fill(r, &a)
	client.Do(compiled, &a)
	if ctx.Err() != nil || a.Fault == attack.None {
		return nil
	}
	if what := Mistaken(ctx, cfg.Profile, a); what != "" {
		return console.NotRun(fmt.Errorf("target %s: %s", name, what))
	}
	return console.NotRun(fmt.Errorf("target %s: %s answers its connections, and fails the first request (%s) with %s%s; %s",
		name, knockedAt(cfg.Profile.URL, a), redaction.Of(p).Redact(r.Label()), a.Fault, said(p, a), exchangeHint(cfg.Profile, a)))
}

// said is what the other end said of a failure, in brackets and in its own words where
// there are any.
func said(p profiles.Profile, a attack.Attempt) string {
	var parts []string
	if !a.Detail.IsZero() && (a.Answer == nil || a.Answer.Why == "" || a.Detail.Code != attack.UnexpectedReply || a.Detail.Kind != attack.ServerDetail) {
		parts = append(parts, a.Detail.String())
	}
	words := a.Answer
	if turns := a.Reply.Turns; words == nil && len(turns) > 0 && !turns[len(turns)-1].Ours {
		words = &attack.Answer{Body: string(turns[len(turns)-1].Data)}
	}
	if words != nil && words.Why != "" {
		parts = append(parts, words.Clean(redaction.Of(p).Redact).Why)
	} else if words != nil {
		if text := words.Clean(redaction.Of(p).Redact).Body; text != "" {
			parts = append(parts, fmt.Sprintf("it says %q", text))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ": ") + ")"
}

// exchangeHint says what to do where a first request failed.
func exchangeHint(t profiles.Target, a attack.Attempt) string {
	if a.Detail.Kind == attack.ServerDetail {
		switch a.Detail.Code {
		case attack.ServerTooManyClients:
			return "it is full already: end other clients, or raise its limit"
		case attack.ServerAuthentication:
			return "check user and password in its url"
		case attack.ServerStartingUp:
			return "wait until it is ready"
		}
	}
	switch {
	case a.Fault == attack.Status && t.Speaks() == profiles.SpeaksWebSocket && a.Status != 0:
		return fmt.Sprintf("the opening handshake is answered with status %d, not 101: check path and headers of the target", a.Status)
	case a.Fault == attack.Timeout && t.Speaks() == profiles.SpeaksWebSocket:
		return "the request waits for a message that does not come: rampload run --once shows what does"
	case a.Fault == attack.Timeout && t.Speaks() == profiles.SpeaksBytes:
		return "the script waits for something that does not come"
	case a.Fault == attack.Status && t.Speaks() == profiles.SpeaksBytes:
		return "the script expects something else: rampload run --once shows what is said"
	case a.Fault == attack.Status:
		return "correct the request: rampload run --once shows the answer"
	case a.Fault == attack.Protocol || a.Fault == attack.Timeout:
		return "check that " + string(t.Speaks()) + " is what its port speaks"
	}
	return "its log may say why"
}
