package cli

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/mark"
	"github.com/rampload/rampload/cmd/internal/run"
	"github.com/rampload/rampload/profiles"
)

func newWatch(env console.Env, g *input.Globals) *cobra.Command {
	r := &input.Flags{}
	var last time.Duration
	cmd := &cobra.Command{
		ValidArgsFunction: completeProfiles,
		Use:               "watch PROFILE | URL",
		Short:             "Watch live traffic, send none: when do resets begin, and why",
		Long: `watch opens the probes, logs and metrics of a profile's hosts and sends no load.
The load is that of the service's own users: as its metrics count it, else as the
kernel of its host sees requests come in. When connections begin to be reset it says
so; at its end, by Ctrl-C or after --for, it prints the verdict that a run prints, and
writes report and run log as a run does. Gates and abort conditions of the profile are
left out: they are about its own load.

With a URL of this machine no profile is needed. As root it tells each reset and who
sent it; else resets are those that the host counts.

Put what was changed meanwhile into it with rampload mark.`,
		Example: `  rampload watch http://127.0.0.1:8080        a service of this machine
  rampload watch peak.yaml --for 30m          the hosts of a profile, for half an hour
  rampload mark "deploy v1.4.2"               in another terminal, or in the pipeline`,
		Args: console.ExactArgs("rampload watch PROFILE, or rampload watch URL", 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if last < 0 || last > 0 && last < time.Second {
				return console.Usage(fmt.Errorf("--for %s is out of range: write a duration from 1s on", last))
			}
			if err := r.Check(); err != nil {
				return err
			}
			p, err := watchedProfile(env, g, r, args[0])
			if err != nil {
				return err
			}
			opt := run.Options{Globals: g, SampleEvery: r.SampleEvery, Trace: !r.NoTrace, UI: r.UI, Web: r.Web, Metrics: r.Metrics, Watch: &run.Watching{For: last}}
			if r.Web != "" {
				if opt.Assets, err = chartAssets(); err != nil {
					return err
				}
			}
			done, err := run.Run(cmd.Context(), env, p, opt)
			if err != nil {
				return err
			}
			return console.Exit(done.Report.ExitCode)
		},
	}
	f := cmd.Flags()
	f.DurationVar(&last, "for", 0, "end after `DURATION` (default: when it is interrupted)")
	r.RegisterWatch(f)
	return cmd
}

// watchedProfile reads a profile, or makes one of a URL.
func watchedProfile(env console.Env, g *input.Globals, r *input.Flags, arg string) (profiles.Profile, error) {
	u, err := url.Parse(arg)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		r.Profile = arg
		return input.LoadProfile(env, g, r)
	}
	if u.Host == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return profiles.Profile{}, console.Usage(fmt.Errorf("watch %s: write the URL without a path, such as http://127.0.0.1:8080: all that its port serves is watched", arg))
	}
	name := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' {
			return c
		}
		return '-'
	}, strings.ToLower(u.Hostname()+"-"+u.Port()))
	name = strings.Trim(name, "-")
	text := fmt.Sprintf("name: %q\ntargets: [{name: %q, url: %q}]\nload: [{at: 1/s, for: 1s}]\n", "watch-"+name, name, u.Scheme+"://"+u.Host)
	return input.DecodeProfile(env, g, r, arg, ".", []byte(text))
}

func newMark(env console.Env) *cobra.Command {
	var only string
	cmd := &cobra.Command{
		Use:   "mark TEXT",
		Short: "Put a word into the runs that go on here, such as that a deploy began",
		Long: `mark puts a text, with the time, into every run and watch of this user on this
machine. It stands in their reports, and where faults begin after it, in the verdict.`,
		Example: `  rampload mark "deploy v1.4.2"
  rampload mark --run peak "cache off"`,
		Args: console.ExactArgs("rampload mark TEXT", 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := mark.Clean(args[0]); err != nil {
				return console.Usage(err)
			}
			placed, err := mark.Place(cmd.Context(), mark.Folder(env.LookupEnv), args[0], only)
			for _, p := range placed {
				fmt.Fprintf(env.Stdout, "marked %s at %s\n", console.Message(p.Name), run.Clock(time.Duration(p.AtS*float64(time.Second))))
			}
			switch {
			case errors.Is(err, mark.ErrNone) && only == "":
				return console.NotRun(fmt.Errorf("%w: start one of this user with rampload watch, or rampload run", err))
			case err != nil:
				return console.NotRun(err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&only, "run", "", "mark only the run of that `NAME`, or whose id begins with it")
	return cmd
}
