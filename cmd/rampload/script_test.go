package main_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rampload/rampload/attack/lab"
	"github.com/rampload/rampload/cmd/internal/cli"
	"github.com/rampload/rampload/report"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"rampload": func() {
			os.Exit(cli.Main(context.Background(), cli.Env{
				Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, LookupEnv: os.LookupEnv,
			}))
		},
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("RAMPLOAD_UPDATE_SCRIPTS") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"service":   service,
			"exits":     exits,
			"interrupt": interrupt,
			"matches":   fileMatches,
			"capacity":  capacityBetween,
		},
	})
}

func program(ts *testscript.TestScript) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		exe := filepath.Join(dir, "rampload")
		if _, err := os.Stat(exe); err == nil {
			return exe
		}
	}
	ts.Fatalf("rampload is not in PATH")
	return ""
}

// service VAR NAME [FLAG ...] starts a service of the lab as a process and puts
// its URL into the environment variable.
func service(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: service VAR NAME [FLAG ...]")
	}
	child := &lab.Child{Exe: program(ts), Name: args[1], Args: args[2:]}
	ts.Check(child.Start(context.Background()))
	ts.Setenv(args[0], child.URL())
	ts.Setenv(args[0]+"_PID", strconv.Itoa(child.PID()))
	ts.Defer(func() { _, _ = child.Stop() })
}

// exits CODE ARG ... runs rampload and checks its exit code; its output is left
// in stdout.txt and stderr.txt.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits CODE ARG ...")
	}
	runProgram(ts, args[0], args[1:], nil)
}

// interrupt AFTER CODE ARG ... sends SIGINT to rampload after that time.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: interrupt AFTER CODE ARG ...")
	}
	after, err := time.ParseDuration(args[0])
	ts.Check(err)
	runProgram(ts, args[1], args[2:], func(p *os.Process) *time.Timer {
		return time.AfterFunc(after, func() { _ = p.Signal(os.Interrupt) })
	})
}

func runProgram(ts *testscript.TestScript, code string, args []string, started func(*os.Process) *time.Timer) {
	want, err := strconv.Atoi(code)
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(ts), args...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "CI=true", "TOKEN="+ts.Getenv("TOKEN"))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	ts.Check(cmd.Start())
	if started != nil {
		defer started(cmd.Process).Stop()
	}
	_ = cmd.Wait() // the exit code tells
	ts.Check(os.WriteFile(ts.MkAbs("stdout.txt"), stdout.Bytes(), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("stderr.txt"), stderr.Bytes(), 0o600))
	ts.Logf("[stdout]\n%s[stderr]\n%s", stdout.String(), stderr.String())
	if got := cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("rampload %s: exit %d, want %d", strings.Join(args, " "), got, want)
	}
	if bytes.Contains(stderr.Bytes(), []byte("goroutine ")) {
		ts.Fatalf("rampload %s left a stack trace", strings.Join(args, " "))
	}
}

// capacityBetween is the command "capacity REPORT LOW TRUE HIGH": it checks that
// a search found its capacity, between LOW and HIGH, and that the lowest load that
// did not pass is at most HIGH and above LOW.
func capacityBetween(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: capacity REPORT LOW TRUE HIGH")
	}
	var bounds [3]float64
	for i, arg := range args[1:] {
		var err error
		bounds[i], err = strconv.ParseFloat(arg, 64)
		ts.Check(err)
	}
	r, err := report.Read(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	c := r.Capacity
	if c == nil || c.Status != report.CapacityFound || !c.Complete || c.RPS == nil || c.HighRPS == nil {
		ts.Fatalf("the search found nothing: %+v", c)
	}
	ts.Logf("capacity %v/s (below %v/s) of %v/s", *c.RPS, *c.HighRPS, bounds[1])
	if *c.RPS < bounds[0] || *c.RPS > bounds[2] || *c.HighRPS > bounds[2]*1.05 {
		ts.Fatalf("capacity %v/s, below %v/s; want %v/s to %v/s", *c.RPS, *c.HighRPS, bounds[0], bounds[2])
	}
}

// fileMatches is the command "matches FILE TEXT": it checks that the file contains the text; with !, that it does
// not.
func fileMatches(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: matches FILE TEXT")
	}
	if found := strings.Contains(ts.ReadFile(args[0]), args[1]); found == neg {
		ts.Fatalf("%s contains %q: %v", args[0], args[1], found)
	}
}
