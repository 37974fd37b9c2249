package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
)

func newIdle(env Env) *cobra.Command {
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
  rampload idle http://127.0.0.1:8080 --max 30s --client-idle 90s`,
		Args: exactArgs("rampload idle URL", 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			u, err := url.Parse(args[0])
			if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
				return usage(fmt.Errorf("%q is not a URL: write http://HOST:PORT/PATH", args[0]))
			}
			if limit < time.Second || limit > time.Hour {
				return usage(fmt.Errorf("--max %s is out of range: write a duration from 1s to 1h", limit))
			}
			target := profiles.Target{Name: u.Host, URL: u.Scheme + "://" + u.Host, Expect: profiles.DefaultExpect(),
				Requests: []profiles.Request{{Method: "GET", Path: u.RequestURI(), Weight: 1}}}
			cfg := wire.IdleConfig{Target: target, Max: limit, RunID: newRunID(),
				Client: profiles.Client{Timeout: timeout, TLS: profiles.TLS{SkipVerify: skipVerify}}}
			return idle(cmd.Context(), env.Stdout, cfg, args[0], client)
		},
	}
	f := cmd.Flags()
	f.DurationVar(&limit, "max", 2*time.Minute, "longest idle time that is tried: `DURATION`")
	f.DurationVar(&client, "client-idle", 90*time.Second, "how long your client keeps idle connections: `DURATION`")
	f.DurationVar(&timeout, "timeout", 5*time.Second, "time for each answer: `DURATION`")
	f.BoolVar(&skipVerify, "skip-verify", false, "do not verify TLS certificates")
	return cmd
}

func idle(ctx context.Context, w io.Writer, cfg wire.IdleConfig, name string, client time.Duration) error {
	sweep, err := wire.SweepIdle(ctx, cfg)
	switch {
	case errors.Is(err, context.Canceled):
		return exit(report.ExitInterrupted)
	case errors.Is(err, wire.ErrNoKeepAlive):
		fmt.Fprintf(w, "%s closes its connections after each response: none is ever idle, none can be reset so.\n", name)
		return nil
	case err != nil:
		return notRun(fmt.Errorf("%s: %w", name, err))
	}
	for _, t := range sweep.Tries {
		after := ""
		if t.Lasted != t.Planned {
			after = " after " + report.FormatSeconds(t.Lasted.Seconds())
		}
		fmt.Fprintf(w, "idle %-8s %s%s\n", report.FormatSeconds(t.Planned.Seconds()), t.End, after)
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w, idleVerdict(sweep, cfg.Max, client))
	return nil
}

// idleVerdict says what a sweep means for a client.
func idleVerdict(s wire.IdleSweep, limit, client time.Duration) string {
	gone, keeps := report.FormatSeconds(s.Gone.Seconds()), report.FormatSeconds(client.Seconds())
	var who string
	switch s.End {
	case wire.IdleAlive:
		return fmt.Sprintf("Connections live for %s without a request and longer: no idle timeout was met.", report.FormatSeconds(limit.Seconds()))
	case wire.IdleFIN:
		who = "The server closes idle connections after " + gone
	case wire.IdleRST:
		who = "Idle connections are reset after " + gone
	case wire.IdleResetUse, wire.IdleEOFUse:
		who = fmt.Sprintf("Idle connections are forgotten after %s to %s, and the next request is %s",
			report.FormatSeconds(s.Alive.Seconds()), gone, map[bool]string{true: "reset", false: "cut off"}[s.End == wire.IdleResetUse])
	case wire.IdleSilent:
		who = fmt.Sprintf("Idle connections are forgotten after %s to %s, and the next request gets no answer", report.FormatSeconds(s.Alive.Seconds()), gone)
	}
	if s.Gone > client {
		return fmt.Sprintf("%s; your client keeps them %s, which is shorter: no resets from idle connections.", who, keeps)
	}
	advice := report.FormatSeconds(0.8 * s.Gone.Seconds())
	return fmt.Sprintf("%s; your client keeps them %s: expect resets.\nClose them in the client sooner, after %s, or keep them longer on the server and every proxy between.", who, keeps, advice)
}
