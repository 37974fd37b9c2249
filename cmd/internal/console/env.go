// Package console is the process's surroundings as a command sees them: its streams,
// terminals and variables, its exit codes, and text that any terminal may show.
package console

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/profiles/redaction"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render/layout"
	"github.com/spf13/cobra"
)

// Env is everything of the process that a command may use.
type Env struct {
	Args           []string // without the program's name
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	LookupEnv      func(string) (string, bool)
	Lab            Lab // zero value: the few scenarios of the installed tool

	Endings *Endings // set by Main
	Plain   *bool    // --plain; nil: no
}

func (e Env) Env(name string) string {
	v, _ := e.LookupEnv(name)
	return v
}

// Error carries an exit code to Main. A nil err exits silently: the command
// has said all that there is to say.
type Error struct {
	Code int
	Err  error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit %d", e.Code)
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Usage returns an error for what the user can put right: exit 2.
func Usage(err error) error { return &Error{report.ExitUsage, err} }

// NotRun returns an error for what could not be carried out: exit 3.
func NotRun(err error) error { return &Error{report.ExitNotRun, err} }

// Exit returns an error that ends the program with a code and says nothing; nil for 0.
func Exit(code int) error {
	if code == 0 {
		return nil
	}
	return &Error{Code: code}
}

// Message is text of the program about what it was given, as any terminal may show
// it: without credentials and control characters, and each line once. Whoever
// writes to stderr takes it.
func Message(text string) string {
	var lines []string
	for line := range strings.SplitSeq(layout.Clean(redaction.URLs(text)), "\n") {
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// Plain returns a writer to w that cleans each write as [Message] does.
func Plain(w io.Writer) io.Writer { return plainText{w} }

// plainText cleans each write as [Message] does: for what is printed line by line.
type plainText struct{ w io.Writer }

func (t plainText) Write(p []byte) (int, error) {
	if _, err := io.WriteString(t.w, layout.Clean(redaction.URLs(string(p)))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Endings counts who ends in order after the first signal, however long that
// takes: a run ends its load and writes its report, a demo stops its service.
type Endings struct{ Held atomic.Int32 }

// InOrder claims the first signal until release is called: it only cancels the
// command's context then. A second signal ends the process in any case.
func (e Env) InOrder() (release func()) {
	if e.Endings == nil {
		return func() {}
	}
	e.Endings.Held.Add(1)
	return func() { e.Endings.Held.Add(-1) }
}

// Lab is what a program knows of the lab. The zero value is the installed tool's:
// the few scenarios that teach.
type Lab struct {
	// Scenarios are those that "demo" can run; nil: [teach.Scenarios].
	Scenarios []lab.Scenario
	// Commands make further commands of the program.
	Commands []func(Env) *cobra.Command
	// KeepTruth, if set, gives "demo" the flag --truth: it writes to a file what was
	// expected of a scenario and what its injector counted.
	KeepTruth func(file string, s lab.Scenario, seed uint64, expect lab.Expect, truth lab.Truth) error
}
