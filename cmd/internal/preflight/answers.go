package preflight

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/ramp"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/redaction"
)

// mostTried is how many requests of a target are tried for redirects.
const mostTried = 3

// Answers names the HTTP targets whose first requests are answered by a server of another
// protocol, or with redirects alone. These are not followed, and count as good: a load on
// them says nothing of the service. Only requests that change nothing are tried; nothing is
// said of journeys, of which redirects are a part, and of a target that is told to expect
// them.
func Answers(ctx context.Context, p profiles.Profile) []string {
	if p.Fleet.Workers > 0 {
		return nil // the targets may be out of reach here
	}
	var out []string
	for _, t := range p.Targets {
		if t.Journey > 0 || t.Speaks() != profiles.SpeaksHTTP || !slices.Equal(t.Expect, profiles.DefaultExpect()) {
			continue
		}
		if w := firstAnswers(ctx, p, t); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// firstAnswers tries the requests of a target until one is no redirect; it is empty then,
// unless another server answers, and where none could be tried.
func firstAnswers(ctx context.Context, p profiles.Profile, t profiles.Target) string {
	said, tried := "", 0
	for _, base := range t.Bases() {
		cfg := attack.ClientConfig{Profile: t, Client: p.Client, Data: p.Data, RunID: attack.NewRunID()}
		cfg.Profile.URL, cfg.Profile.Requests, cfg.Profile.File, cfg.Profile.Read = base.URL, base.Requests, "", nil
		cfg.Client.Timeout = preflightTimeout
		for _, r := range base.Requests {
			if tried == mostTried || r.Method != "GET" && r.Method != "HEAD" {
				continue
			}
			a, to := answered(ctx, p, cfg, r)
			if what := Mistaken(ctx, t, a); what != "" {
				return fmt.Sprintf("target %s: %s", t.Name, what)
			}
			if a.Status < 300 || a.Status > 399 || a.Status == 304 {
				return ""
			}
			if tried++; said == "" {
				said = fmt.Sprintf("%s %s%s is answered with %d", r.Method, strings.TrimSuffix(base.URL, "/"), r.Path, a.Status)
				if to != "" {
					said += ", to " + to
				}
			}
		}
	}
	if said == "" {
		return ""
	}
	if tried > 1 {
		said = fmt.Sprintf("the first %d requests are answered with redirects: %s", tried, said)
	}
	return fmt.Sprintf("target %s: %s: redirects are not followed and count as good answers, so write the url that they lead to, or expect: 2xx to have them fail",
		t.Name, redaction.Of(p).Redact(said))
}

// answered makes a request once, and returns how that ended and where the answer sends.
func answered(ctx context.Context, p profiles.Profile, cfg attack.ClientConfig, r profiles.Request) (a attack.Attempt, to string) {
	client, err := protocol.Open(cfg)
	if err != nil {
		return a, ""
	}
	defer client.Close()
	defer context.AfterFunc(ctx, client.Abort)()
	compiled, err := client.Compile(r)
	if err != nil {
		return a, ""
	}
	a.Reply = &attack.Reply{Limit: attack.MaxAnswerBody}
	if !ramp.NewFiller(p, cfg.RunID).Fill(r, &a) {
		return a, ""
	}
	client.Do(compiled, &a)
	for _, h := range a.Reply.Headers {
		if strings.EqualFold(h.Name, "Location") {
			to = h.Value
		}
	}
	return a, to
}
