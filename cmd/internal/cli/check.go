package cli

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/cli/probecmd"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/fleet"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/preflight"
	"github.com/rampload/rampload/cmd/internal/run"
	"github.com/rampload/rampload/cmd/internal/watch"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/redaction"
	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/profiles/yaml"
	"github.com/rampload/rampload/report/format"
)

func newCheck(env console.Env, g *input.Globals) *cobra.Command {
	r := &input.Flags{}
	var schema bool
	cmd := &cobra.Command{
		ValidArgsFunction: completeProfiles,
		Use:               "check PROFILE",
		Short:             "Validate a profile, print its plan, look at limits; send no load",
		Example: `  rampload check peak.yaml
  rampload check --schema > rampload.schema.json   JSON Schema for editors`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if schema {
				_, err := env.Stdout.Write(yaml.Schema())
				return err
			}
			if len(args) == 1 {
				r.Profile = args[0]
			}
			if r.Profile == "" {
				return console.Usage(fmt.Errorf("no profile named: write rampload check peak.yaml"))
			}
			p, err := input.LoadProfile(env, g, r)
			if err != nil {
				return err
			}
			return check(cmd.Context(), env, p, !r.NoTrace)
		},
	}
	r.Register(cmd.Flags())
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of profiles")
	return cmd
}

// check prints the plan of a profile and what stands in its way. A target that
// answers no connection is exit 3, as it would be in a run.
func check(ctx context.Context, env console.Env, p profiles.Profile, trace bool) error {
	w := console.Plain(env.Stdout)
	printPlan(w, p)
	fmt.Fprintln(w, "\ntargets")
	addrs := preflight.ResolveTargets(ctx, p.Targets)
	printData(w, p)
	for i, t := range p.Targets {
		printTarget(w, p, t, addrs[i])
	}
	places, pods := watch.FindPods(ctx, p)
	others := watch.ConnectAgents(ctx, places, pods, attack.NewRunID().String(), input.WindowInterval, trace)
	defer others.Close()
	watched := watch.OpenHosts(ctx, places.Hosts, places.Targets, addrs, probe.NewClock(time.Now()), trace, others)
	defer watched.Close()
	if found := pods.Describe(); len(found) > 0 {
		fmt.Fprintln(w, "\npods")
		for _, line := range found {
			fmt.Fprintf(w, "  %s\n", line)
		}
	}
	if fleet.Needed(places) {
		fmt.Fprintln(w, "\nfleet")
		for _, line := range fleet.Look(ctx, places, console.Version()) {
			fmt.Fprintf(w, "  %s\n", line)
		}
	}
	fmt.Fprintln(w, "\nprobes")
	for _, s := range watched.Describe(ctx) {
		fmt.Fprintf(w, "  %s\n", s)
	}
	warnings, err := preflight.Look(ctx, p)
	if err == nil {
		warnings = append(warnings, preflight.Answers(ctx, p)...)
	}
	warnings = append(warnings, watched.AlreadyFull(ctx)...)
	if ways := probecmd.Ways(ctx, watched, p.Targets, addrs); len(ways) > 0 {
		fmt.Fprintln(w, "\nway of the requests, as seen before any load")
		for _, s := range ways {
			fmt.Fprintf(w, "  %s\n", s)
		}
	}
	fmt.Fprintln(w, "\npreflight")
	if synchronised, known := watch.ClockSynchronised(); known && !synchronised {
		fmt.Fprintln(w, "  the clock of this machine is not synchronised: times may differ from those in other hosts' logs")
	}
	for _, warning := range warnings {
		fmt.Fprintf(w, "  warning: %s\n", warning)
	}
	if err != nil {
		return err
	}
	if len(warnings) == 0 {
		fmt.Fprintln(w, "  every target answers; no limit of this machine is in the way")
	}
	return nil
}

func printPlan(w io.Writer, p profiles.Profile) {
	about := ""
	if estimated(p) {
		about = "about "
	}
	fmt.Fprintf(w, "%s: %s%s", p.Name, about, spelling.FormatDuration(p.Duration()))
	rate, open := p.MaxRate()
	if open && rate > 0 {
		fmt.Fprintf(w, ", up to %s/s", format.Number(rate))
	}
	fmt.Fprintf(w, ", engine %s, %s\n", p.Client.Engine, connections(p.Client))
	var at time.Duration
	for _, s := range p.Load {
		fmt.Fprintf(w, "  %6s  %s\n", run.Clock(at), s)
		at += s.Duration()
	}
	for _, gate := range p.SearchGates() {
		fmt.Fprintf(w, "  until   %s\n", gate.Text)
	}
	for _, gate := range p.RunGates() {
		fmt.Fprintf(w, "  gate    %s\n", gate.Text)
		hint := preflight.TooFew(p, gate)
		if gate.Baseline > 0 {
			hint = "the run needs earlier ones for it: --baseline FILE, a glob in quotes, or latest:DIR"
		}
		if hint != "" {
			fmt.Fprintf(w, "          warning: %s\n", hint)
		}
	}
	if open && rate == 0 {
		return // there is no load to abort
	}
	for _, abort := range p.AbortIf {
		fmt.Fprintf(w, "  abort   %s\n", abort.Text)
	}
}

// estimated reports whether what is found decides how long the load takes.
func estimated(p profiles.Profile) bool {
	_, searches := p.SearchStage()
	_, idles := p.IdleStage()
	return searches || idles
}

func connections(c profiles.Client) string {
	if c.Connections == 0 {
		return fmt.Sprintf("a connection for each request, at most %s at once", format.Number(float64(c.MaxInFlight)))
	}
	return fmt.Sprintf("at most %s connections a target", format.Number(float64(c.Connections)))
}

// maxBases bounds the URLs of a targets file that check lists.
const maxBases = 10

// printTarget says where the requests of a target go.
func printTarget(w io.Writer, p profiles.Profile, t profiles.Target, addrs []netip.Addr) {
	bases := t.Bases()
	if t.File == "" {
		fmt.Fprintf(w, "  %-16s %s  %s\n", t.Name, redaction.Of(p).Redact(t.URL), resolved(t.URL, addrs))
		if t.Completion.Given() {
			fmt.Fprintf(w, "  %-16s %s\n", "", describeCompletion(p, t.Completion))
		}
		return
	}
	requests := 0
	for _, base := range bases {
		requests += len(base.Requests)
	}
	fmt.Fprintf(w, "  %-16s %s: %s\n", t.Name, redaction.Of(p).Redact(t.File), format.Counted(requests, "request"))
	for i, base := range bases {
		if i == maxBases {
			fmt.Fprintf(w, "  %-16s and %s more\n", "", format.Number(float64(len(bases)-i)))
			break
		}
		fmt.Fprintf(w, "  %-16s %s: %s\n", "", redaction.Of(p).Redact(base.URL), format.Counted(len(base.Requests), "request"))
	}
}

// describeCompletion says how it is learnt that what a target accepted is done.
func describeCompletion(p profiles.Profile, c profiles.Completion) string {
	var how string
	switch c.Via {
	case profiles.ViaPoll:
		path := c.Poll.Path
		if path == "" {
			path = "the Location of its answer"
		}
		how = fmt.Sprintf("%s is asked for each %s, at most %s in all", path, spelling.FormatDuration(c.Poll.Every), spelling.FormatRate(c.Poll.AtMost))
	case profiles.ViaCallback:
		how = "it calls " + c.Callback.Listen
	case profiles.ViaNATS:
		how = "messages on " + c.Topic.Subject
	}
	return redaction.Of(p).Redact(fmt.Sprintf("done when told: %s; lost after %s", how, spelling.FormatDuration(c.Timeout)))
}

// resolved says which addresses the name in a URL has.
func resolved(url string, addrs []netip.Addr) string {
	host := watch.TargetHost(url)
	if _, err := netip.ParseAddr(host); host == "" || err == nil {
		return ""
	}
	if len(addrs) == 0 {
		return "does not resolve"
	}
	texts := make([]string, len(addrs))
	for i, a := range addrs {
		texts[i] = a.String()
	}
	return strings.Join(texts, " ")
}
