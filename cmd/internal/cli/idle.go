package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/idle"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/run"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/redaction"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
)

func newIdle(env console.Env, g *input.Globals) *cobra.Command {
	var (
		limit, client, timeout time.Duration
		skipVerify             bool
	)
	cmd := &cobra.Command{
		Use:   "idle URL",
		Short: "Find how long a server, or the path to it, keeps idle connections",
		Long: `idle holds a handful of connections idle for growing times and finds when the
server closes or resets them, or when something on the path forgets them. It
sends a few dozen requests at most: safe against production. A client that keeps
connections for longer than that meets resets.`,
		Example: `  rampload idle https://orders.internal/health
  rampload idle http://127.0.0.1:8080 --max 30s --client-idle 90s
  rampload idle wss://chat.internal/ws     how long proxies keep a silent WebSocket
  rampload idle redis://cache              or postgres://user:password@host/database`,
		Args: console.ExactArgs("rampload idle URL", 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			u, err := url.Parse(args[0])
			if err != nil || u.Host == "" {
				return console.Usage(fmt.Errorf("%q is not a URL: write http://HOST:PORT/PATH", redaction.URLs(args[0])))
			}
			target, exchange, err := idleTarget(u)
			if err != nil {
				return console.Usage(err)
			}
			if limit < time.Second || limit > time.Hour {
				return console.Usage(fmt.Errorf("--max %s is out of range: write a duration from 1s to 1h", limit))
			}
			cfg := idle.Config{
				Target: target, Exchange: exchange, Max: limit, RunID: attack.NewRunID(),
				Client: profiles.Client{Timeout: timeout, TLS: profiles.TLS{SkipVerify: skipVerify}},
			}
			return console.WriteOut(env, g.Out, func(w io.Writer, _ console.Terminal) error {
				return findIdle(cmd.Context(), console.Plain(w), cfg, redaction.URLs(args[0]), client)
			})
		},
	}
	f := cmd.Flags()
	f.DurationVar(&limit, "max", 2*time.Minute, "longest idle time that is tried: `DURATION`")
	f.DurationVar(&client, "client-idle", 90*time.Second, "how long your client keeps idle connections: `DURATION`")
	f.DurationVar(&timeout, "timeout", 5*time.Second, "time for each answer: `DURATION`")
	f.BoolVar(&skipVerify, "skip-verify", false, "do not verify TLS certificates")
	return cmd
}

// idleTarget returns what is asked on each connection, and by which protocol; nil is
// HTTP/1.1.
func idleTarget(u *url.URL) (profiles.Target, wire.Protocol, error) {
	t := profiles.Target{Name: u.Host, URL: u.String()}
	switch t.Speaks() {
	case profiles.SpeaksHTTP:
		if u.Scheme != "http" && u.Scheme != "https" {
			break
		}
		t.URL, t.Expect = u.Scheme+"://"+u.Host, profiles.DefaultExpect()
		t.Requests = []profiles.Request{{Method: "GET", Path: u.RequestURI(), Weight: 1}}
		return t, nil, nil
	case profiles.SpeaksWebSocket:
		t.Requests = []profiles.Request{{Script: []profiles.Turn{{Kind: profiles.TurnPing}}, Weight: 1}}
		return t, protocol.New, nil
	case profiles.SpeaksRedis:
		t.Requests = []profiles.Request{{Command: "PING", Weight: 1}}
		return t, protocol.New, nil
	case profiles.SpeaksPostgres:
		t.Requests = []profiles.Request{{Command: "SELECT 1", Weight: 1}}
		return t, protocol.New, nil
	}
	return t, nil, fmt.Errorf("idle connections of %s:// are not looked into: write a URL of http, https, ws, wss, redis, rediss or postgres", u.Scheme)
}

func findIdle(ctx context.Context, w io.Writer, cfg idle.Config, name string, client time.Duration) error {
	sweep, err := idle.Find(ctx, cfg)
	switch {
	case errors.Is(err, context.Canceled):
		return console.Exit(report.ExitInterrupted)
	case errors.Is(err, idle.ErrNoKeepAlive):
		fmt.Fprintf(w, "%s closes its connections after each response: none is ever idle, none can be reset so.\n", name)
		return nil
	case err != nil:
		return console.NotRun(fmt.Errorf("%s: %w", name, err))
	}
	for _, t := range sweep.Tries {
		after := ""
		if t.Lasted != t.Planned {
			after = " after " + format.Seconds(t.Lasted.Seconds())
		}
		fmt.Fprintf(w, "idle %-8s %s%s\n", format.Seconds(t.Planned.Seconds()), t.End, after)
	}
	verdict := report.DescribeIdle(run.RecordOf(sweep, attack.IdleSweep{From: cfg.Min, To: cfg.Max}), client)
	fmt.Fprintf(w, "\n%s.\n", sentence(verdict.Summary))
	if verdict.Advice != "" {
		fmt.Fprintf(w, "%s.\n", sentence(verdict.Advice))
	}
	return nil
}

// sentence begins with a capital.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
