// Package cli is the commands of rampload: the one place where adapters are
// chosen and joined. What a command computes lives in the packages below; here
// are flags, files, terminals and exit codes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render"
)

// Env is everything of the process that a command may use.
type Env struct {
	Args           []string // without the program's name
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	LookupEnv      func(string) (string, bool)
	Lab            Lab // zero value: the few scenarios of the installed tool

	endings *endings // set by Main
}

func (e Env) env(name string) string {
	v, _ := e.LookupEnv(name)
	return v
}

// exitError carries an exit code to Main. A nil err exits silently: the command
// has said all that there is to say.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// exit returns an error that ends rampload with the code; nil for 0.
func exit(code int) error {
	if code == 0 {
		return nil
	}
	return &exitError{code: code}
}

// Usage returns an error for what the user can put right: exit 2.
func Usage(err error) error { return usage(err) }

// NotRun returns an error for what could not be carried out: exit 3.
func NotRun(err error) error { return notRun(err) }

// Exit returns an error that ends the program with a code and says nothing; nil for 0.
func Exit(code int) error { return exit(code) }

// usage returns an error for what the user can put right: exit 2.
func usage(err error) error { return &exitError{report.ExitUsage, err} }

// notRun returns an error for a run that could not be carried out: exit 3.
func notRun(err error) error { return &exitError{report.ExitNotRun, err} }

func execute(ctx context.Context, env Env) int {
	root := newRoot(env)
	root.SetArgs(env.Args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return report.ExitPassed
	}
	var coded *exitError
	if !errors.As(err, &coded) {
		// Only cobra itself returns other errors: unknown commands, flags, arguments.
		coded = &exitError{report.ExitUsage, fmt.Errorf("%w; see rampload --help", err)}
	}
	if coded.err != nil {
		fmt.Fprintf(env.Stderr, "rampload: %s\n", message(coded.err.Error()))
	}
	return coded.code
}

// message is text of the program about what it was given, as any terminal may show
// it: without credentials and control characters, and each line once. Whoever
// writes to stderr takes it.
func message(text string) string {
	var lines []string
	for line := range strings.SplitSeq(render.Clean(profiles.RedactURLs(text)), "\n") {
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// Plain returns a writer to w that cleans each write as [message] does.
func Plain(w io.Writer) io.Writer { return plainText{w} }

// plainText cleans each write as [message] does: for what is printed line by line.
type plainText struct{ w io.Writer }

func (t plainText) Write(p []byte) (int, error) {
	if _, err := io.WriteString(t.w, render.Clean(profiles.RedactURLs(string(p)))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// version is set by the linker in a release (see .ci/release).
var version string

// Version returns the version of this build: the release's, the module's, or the
// commit's.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel+" + s.Value[:12]
		}
	}
	return "devel"
}

// globals are the flags of every command.
type globals struct {
	set       []string
	label     string
	out       string
	logFormat string
	quiet     bool
}

// Command returns the whole command line as a tree, for what is made of it: man pages
// and completions.
func Command(env Env) *cobra.Command { return newRoot(env) }

func newRoot(env Env) *cobra.Command {
	g := &globals{}
	r := &runFlags{}
	root := &cobra.Command{
		Use:   "rampload --profile FILE",
		Short: "Ramp load until connections reset, and say what ran out, where, and who sent the reset",
		Long: `rampload ramps load against services, counts every connection reset at the
connection, finds the load at which resets begin, and names the resource that
ran out, the host and who sent the reset, with evidence.

Exit codes: 0 passed; 1 a gate failed, an abort-if condition struck, or compare
found a regression; 2 wrong usage or an invalid profile; 3 the run could not be
carried out; 4 a gate could not be judged; 130 interrupted.`,
		Example: `  rampload demo                          see it at work on a faulty service
  rampload init > peak.yaml              write a commented starter profile
  rampload --profile peak.yaml           run it
  rampload compare v1.json v2.json       compare two reports`,
		Args:          cobra.NoArgs,
		Version:       Version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.profile == "" {
				return cmd.Help()
			}
			return runCommand(cmd.Context(), env, g, r)
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	f := root.PersistentFlags()
	f.StringArrayVar(&g.set, "set", nil, "override a profile value: `KEY=VALUE`, such as client.timeout=2s (repeatable)")
	f.StringVar(&g.label, "label", "", "name this run in its report, such as a release: `TEXT`")
	f.StringVar(&g.out, "out", "", "write the report to `FILE` (default rampload-NAME-TIME.json)")
	f.StringVar(&g.logFormat, "log-format", "text", "`FORMAT` of the failure log on stderr: text (none) or json (a line for each failed attempt)")
	f.BoolVar(&g.quiet, "quiet", false, "print no progress")
	r.registerAll(root.Flags())

	root.AddCommand(
		newRun(env, g), newCompare(env, g), newHistory(env, g), newExplain(env, g), newReport(env, g), newCheck(env, g), newConfirm(env, g),
		newInit(env, g), newImport(env, g), newDemo(env, g), newProbe(env, g), newAgent(env), newWorker(env), newFleet(env), newIdle(env, g), newLabService(env),
	)
	for _, command := range env.Lab.Commands {
		root.AddCommand(command(env))
	}
	root.AddCommand(newGuides(newTerminal(env))...)
	return root
}
