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

// Redirects names the targets that answer their first requests with redirects alone. They
// are not followed, and count as good: a load on them says nothing of the service. Only
// requests that change nothing are tried; nothing is said of journeys, of which redirects
// are a part, and of a target that is told to expect them.
func Redirects(ctx context.Context, p profiles.Profile) []string {
	if p.Fleet.Workers > 0 {
		return nil // the targets may be out of reach here
	}
	var out []string
	for _, t := range p.Targets {
		if t.Journey > 0 || t.Speaks() != profiles.SpeaksHTTP || !slices.Equal(t.Expect, profiles.DefaultExpect()) {
			continue
		}
		if w := redirected(ctx, p, t); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// redirected tries the requests of a target until one is no redirect; it is empty then, and
// where none could be tried.
func redirected(ctx context.Context, p profiles.Profile, t profiles.Target) string {
	said, tried := "", 0
	for _, base := range t.Bases() {
		cfg := attack.ClientConfig{Profile: t, Client: p.Client, Data: p.Data, RunID: attack.NewRunID()}
		cfg.Profile.URL, cfg.Profile.Requests, cfg.Profile.File, cfg.Profile.Read = base.URL, base.Requests, "", nil
		cfg.Client.Timeout = preflightTimeout
		for _, r := range base.Requests {
			if tried == mostTried || r.Method != "GET" && r.Method != "HEAD" {
				continue
			}
			status, to := location(ctx, p, cfg, r)
			if status < 300 || status > 399 || status == 304 {
				return ""
			}
			if tried++; said == "" {
				said = fmt.Sprintf("%s %s%s is answered with %d", r.Method, strings.TrimSuffix(base.URL, "/"), r.Path, status)
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

// location makes a request once and returns its status and where the answer sends; 0 where
// there is no answer.
func location(ctx context.Context, p profiles.Profile, cfg attack.ClientConfig, r profiles.Request) (status uint16, to string) {
	client, err := protocol.Open(cfg)
	if err != nil {
		return 0, ""
	}
	defer client.Close()
	defer context.AfterFunc(ctx, client.Abort)()
	compiled, err := client.Compile(r)
	if err != nil {
		return 0, ""
	}
	a := attack.Attempt{Reply: &attack.Reply{Limit: attack.MaxAnswerBody}}
	if !ramp.NewFiller(p, cfg.RunID).Fill(r, &a) {
		return 0, ""
	}
	client.Do(compiled, &a)
	for _, h := range a.Reply.Headers {
		if strings.EqualFold(h.Name, "Location") {
			to = h.Value
		}
	}
	return a.Status, to
}
