// Package probecmd is "rampload probe": what a machine shows now, on a screen or as JSON.
package probecmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/watch"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
)

func NewProbe(env console.Env, g *input.Globals) *cobra.Command {
	var (
		once, asJSON bool
		listen       []int
		names        []string
		pids         []int
		netns        string
		every        time.Duration
	)
	cmd := &cobra.Command{
		Use:   "probe",
		Short: "Watch this host's limits, counters and resets live",
		Long: `probe shows what on this host has a limit, how full it is, which exhaustion
counters move, and the last connection resets with the kernel's reason (as root
on Linux). It sends no load. Quit with q or Ctrl-C.`,
		Example: `  rampload probe --listen 8080           the process behind a port, too
  rampload probe --once --json           one reading for a script`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if every < 100*time.Millisecond || every > time.Minute {
				return console.Usage(fmt.Errorf("--every %s is out of range: write a duration from 100ms to 1m", every))
			}
			if asJSON && !once {
				return console.Usage(errors.New("--json needs --once: one reading as JSON"))
			}
			if g.Out != "" && !once {
				return console.Usage(errors.New("--out needs --once: one reading in a file"))
			}
			host := profiles.Host{Name: watch.LocalHost, Netns: netns}
			for _, port := range listen {
				host.Processes = append(host.Processes, profiles.Process{Listen: port})
			}
			for _, name := range names {
				host.Processes = append(host.Processes, profiles.Process{Name: name})
			}
			for _, pid := range pids {
				host.Processes = append(host.Processes, profiles.Process{PID: pid})
			}
			return probeCommand(cmd.Context(), env, host, probeOptions{every: every, once: once, json: asJSON, out: g.Out})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&once, "once", false, "print one table and exit")
	f.BoolVar(&asJSON, "json", false, "with --once: print JSON")
	f.IntSliceVar(&listen, "listen", nil, "watch the process that listens on this `PORT` (repeatable)")
	f.StringSliceVar(&names, "process", nil, "watch processes of this command `NAME` (repeatable)")
	f.IntSliceVar(&pids, "pid", nil, "watch the process with this `PID` (repeatable)")
	f.StringVar(&netns, "netns", "", "watch the network namespace with this `NAME`")
	f.DurationVar(&every, "every", time.Second, "how often to read and redraw: `DURATION`")
	return cmd
}

type probeOptions struct {
	every      time.Duration
	once, json bool
	out        string // file for one reading
}

func probeCommand(ctx context.Context, env console.Env, host profiles.Host, opt probeOptions) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	clock := probe.NewClock(time.Now())
	w := watch.OpenHosts(ctx, []profiles.Host{host}, nil, nil, clock, true, nil)
	view := newProbeView()

	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for _, watcher := range w.Watchers {
		wg.Go(func() {
			if err := watcher.Watch(ctx, view.event); err != nil {
				view.missing(watcher.Source(), err)
			}
		})
	}
	defer func() {
		for _, s := range w.Samplers {
			s.Close()
		}
	}()
	read := func() {
		for _, s := range w.Samplers {
			var readings []probe.Sample
			err := s.Sample(ctx, func(r probe.Sample) { readings = append(readings, r) })
			view.readings(s.Source(), readings, err)
			if events, ok := s.(probe.EventSource); ok {
				events.DrainEvents(view.event)
			}
		}
		for _, m := range w.Missing {
			view.missing(m.Source, errors.New(m.Reason))
		}
	}

	read()
	if opt.once {
		// Rates and CPU shares are differences: they need a second reading.
		if !wait(ctx, min(opt.every, time.Second)) {
			return console.Exit(report.ExitInterrupted)
		}
		read()
		return console.WriteOut(env, opt.out, func(w io.Writer, t console.Terminal) error {
			if opt.json {
				return printProbeJSON(w, view)
			}
			text := view.screen(t.Width, math.MaxInt, t.Colour)
			if t.Plain {
				text = view.sentences()
			}
			_, err := io.WriteString(w, text)
			return err
		})
	}

	out, ok := env.Stdout.(*os.File)
	if !ok || !term.IsTerminal(int(out.Fd())) {
		return console.Usage(errors.New("probe redraws a terminal and this is none: use rampload probe --once"))
	}
	if t := console.NewTerminal(env); t.Plain {
		return console.Usage(errors.New("probe redraws a terminal, which --plain is not for: use rampload probe --once --plain"))
	}
	keys, restore := rawKeys(env.Stdin)
	defer restore()
	resized := make(chan os.Signal, 1)
	notifyResize(resized)
	defer signal.Stop(resized)
	fmt.Fprint(out, "\x1b[?1049h\x1b[?25l")
	defer fmt.Fprint(out, "\x1b[?25h\x1b[?1049l")
	t := console.NewTerminal(env)
	ticker := time.NewTicker(opt.every)
	defer ticker.Stop()
	for {
		width, height, err := term.GetSize(int(out.Fd()))
		if err != nil {
			width, height = console.DefaultWidth, 24
		}
		// Home, draw, clear the rest of each line and the screen: no flicker.
		if _, err := fmt.Fprintf(out, "\x1b[H%s\x1b[J", crlf(view.screen(width, height-1, t.Colour))); err != nil {
			return nil // the terminal went away
		}
		select {
		case <-ctx.Done():
			return nil
		case k, open := <-keys:
			if open && (k == 'q' || k == 3 || k == 27) {
				return nil
			}
			if !open {
				keys = nil
			}
		case <-resized:
		case <-ticker.C:
			read()
		}
	}
}

// crlf makes lines fit for a terminal in raw mode and clears what was behind.
func crlf(s string) string {
	out := make([]byte, 0, len(s)+len(s)/10)
	for i := range len(s) {
		if s[i] == '\n' {
			out = append(out, "\x1b[K\r"...)
		}
		out = append(out, s[i])
	}
	return string(out)
}

// rawKeys reads single keys where stdin is a terminal.
func rawKeys(stdin io.Reader) (keys <-chan byte, restore func()) {
	f, ok := stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, func() {}
	}
	state, err := term.MakeRaw(int(f.Fd()))
	if err != nil {
		return nil, func() {}
	}
	ch := make(chan byte, 8)
	go func() { // ends with the process: a read from a terminal cannot be canceled
		defer close(ch)
		buf := make([]byte, 1)
		for {
			if _, err := f.Read(buf); err != nil {
				return
			}
			ch <- buf[0]
		}
	}()
	return ch, func() { _ = term.Restore(int(f.Fd()), state) }
}

// wait returns false when ctx was done first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// probeJSON is the form of probe --once --json: stable names, null where there
// is no value.
type probeJSON struct {
	Schema    int             `json:"schema"`
	Time      time.Time       `json:"time"`
	Resources []probeResource `json:"resources"`
	Counters  []probeCounter  `json:"counters"`
	Events    []probeEvent    `json:"events"`
	Sources   []probeSource   `json:"sources"`
}

type probeResource struct {
	Host        string   `json:"host"`
	Process     string   `json:"process,omitempty"`
	PID         int32    `json:"pid,omitempty"`
	Name        string   `json:"name"`
	Instance    string   `json:"instance,omitempty"`
	Unit        string   `json:"unit"`
	Value       float64  `json:"value"`
	Limit       *float64 `json:"limit"`
	Utilisation *float64 `json:"utilisation"`
}

type probeCounter struct {
	Host      string   `json:"host"`
	Process   string   `json:"process,omitempty"`
	Name      string   `json:"name"`
	Instance  string   `json:"instance,omitempty"`
	Unit      string   `json:"unit"`
	Kind      string   `json:"kind"`
	Total     float64  `json:"total"`
	PerSecond *float64 `json:"per_second"`
}

type probeEvent struct {
	AtS     float64 `json:"at_s"`
	Kind    string  `json:"kind"`
	Local   string  `json:"local,omitempty"`
	Remote  string  `json:"remote,omitempty"`
	Reason  string  `json:"reason,omitempty"`
	State   string  `json:"state,omitempty"`
	Process string  `json:"process,omitempty"`
	PID     int32   `json:"pid,omitempty"`
}

type probeSource struct {
	Host   string `json:"host"`
	Source string `json:"source"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
}

func printProbeJSON(w io.Writer, v *probeView) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v.json(time.Now().UTC())); err != nil {
		return console.NotRun(fmt.Errorf("print probes: %w", err))
	}
	return nil
}

func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
