package main_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rampload/rampload/cmd/internal/cli"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/report"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"rampload": func() {
			os.Exit(cli.Main(context.Background(), console.Env{
				Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, LookupEnv: os.LookupEnv,
			}))
		},
		"nats-server": natsServer,
		"queue":       queueService,
		"orders":      shopService,
		"payments":    shopService,
	})
}

// natsServer is what nats-server's own main does: a server of somebody else's.
func natsServer() {
	flags := flag.NewFlagSet("nats-server", flag.ExitOnError)
	opts, err := server.ConfigureOptions(flags, os.Args[1:], func() {}, func() {}, func() {})
	if err == nil {
		var s *server.Server
		if s, err = server.NewServer(opts); err == nil {
			s.ConfigureLogger()
			if err = server.Run(s); err == nil {
				s.WaitForShutdown()
				return
			}
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("RAMPLOAD_UPDATE_SCRIPTS") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"service":    service,
			"exits":      exits,
			"interrupt":  interrupt,
			"breakoff":   breakOff,
			"stuck":      stuck,
			"matches":    fileMatches,
			"capacity":   capacityBetween,
			"leak":       leak,
			"speaks":     speaks,
			"startqueue": startQueue,
			"counted":    completedAs,
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
// in stdout.txt and stderr.txt. A run that was to be judged and says that the
// generator was the limit, as on a busy machine, is done again.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits CODE ARG ...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	const undecided = 4
	for try := 1; ; try++ {
		got := runProgram(ts, args[1:], "", nil)
		if got == want {
			return
		}
		out := slices.Index(args, "--out")
		limited := bytes.Contains([]byte(ts.ReadFile("stdout.txt")), []byte("enerator"))
		if got != undecided || !limited || out < 0 || try == 3 {
			ts.Fatalf("rampload %s: exit %d, want %d", strings.Join(args[1:], " "), got, want)
		}
		removeReport(ts, args[out+1])
	}
}

// removeReport makes room for another report of the same name.
func removeReport(ts *testscript.TestScript, name string) {
	for _, file := range []string{name, strings.TrimSuffix(name, ".json") + ".runlog"} {
		if err := os.Remove(ts.MkAbs(file)); err != nil && !errors.Is(err, os.ErrNotExist) {
			ts.Fatalf("%v", err)
		}
	}
}

// interrupt [SIGNAL] AFTER CODE ARG ... sends a signal, SIGINT without one, to
// rampload that time after it has told of its load's beginning.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: interrupt [SIGNAL] AFTER CODE ARG ...")
	}
	signal := os.Interrupt
	if s, ok := signals[args[0]]; ok {
		signal, args = s, args[1:]
	}
	after, err := time.ParseDuration(args[0])
	ts.Check(err)
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	got := runProgram(ts, args[2:], "", func(p *os.Process) {
		time.AfterFunc(after, func() { _ = p.Signal(signal) })
	})
	if got != want {
		ts.Fatalf("rampload %s: exit %d, want %d", strings.Join(args[2:], " "), got, want)
	}
}

var signals = map[string]os.Signal{"SIGINT": syscall.SIGINT, "SIGHUP": syscall.SIGHUP, "SIGTERM": syscall.SIGTERM}

// stuck SIGNAL CODE PIPE ARG ... sends the signal to rampload once it reads a named
// pipe that nothing is ever written to.
func stuck(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: stuck SIGNAL CODE PIPE ARG ...")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(ts), args[3:]...)
	cmd.Dir = ts.MkAbs(".")
	ts.Check(cmd.Start())
	pipe, err := os.OpenFile(ts.MkAbs(args[2]), os.O_WRONLY, 0) // returns when it is read
	ts.Check(err)
	defer pipe.Close()
	ts.Check(cmd.Process.Signal(signals[args[0]]))
	_ = cmd.Wait() // the exit code tells
	if got := cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("rampload %s: exit %d after %s, want %d", strings.Join(args[3:], " "), got, args[0], want)
	}
}

// breakOff TEXT CODE ARG ... sends SIGINT to rampload when it has written a text to stderr.
func breakOff(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: breakoff TEXT CODE ARG ...")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	if got := runProgram(ts, args[2:], args[0], func(p *os.Process) { _ = p.Signal(os.Interrupt) }); got != want {
		ts.Fatalf("rampload %s: exit %d, want %d", strings.Join(args[2:], " "), got, want)
	}
}

// firstWrite keeps what is written and calls f when it contains a text, at the first
// write without one.
type firstWrite struct {
	buf  bytes.Buffer // a field: its ReadFrom would get round Write
	f    func()
	text string
}

func (w *firstWrite) Write(b []byte) (int, error) {
	n, err := w.buf.Write(b)
	if w.f != nil && bytes.Contains(w.buf.Bytes(), []byte(w.text)) {
		w.f()
		w.f = nil
	}
	return n, err
}

// runProgram runs rampload and returns its exit code. It calls said when the
// program has written a text to stderr, or its first message where text is empty.
func runProgram(ts *testscript.TestScript, args []string, text string, said func(*os.Process)) int {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(ts), args...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "CI=true", "TOKEN="+ts.Getenv("TOKEN"))
	if dir := ts.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		cmd.Env = append(cmd.Env, "XDG_RUNTIME_DIR="+dir)
	}
	var stdout bytes.Buffer
	var stderr firstWrite
	stderr.text = text
	if said != nil {
		stderr.f = func() { said(cmd.Process) }
	}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	ts.Check(cmd.Start())
	_ = cmd.Wait() // the exit code tells
	ts.Check(os.WriteFile(ts.MkAbs("stdout.txt"), stdout.Bytes(), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("stderr.txt"), stderr.buf.Bytes(), 0o600))
	ts.Logf("[stdout]\n%s[stderr]\n%s", stdout.String(), stderr.buf.String())
	if bytes.Contains(stderr.buf.Bytes(), []byte("goroutine ")) {
		ts.Fatalf("rampload %s left a stack trace", strings.Join(args, " "))
	}
	return cmd.ProcessState.ExitCode()
}

// capacityBetween is the command "capacity LOW TRUE HIGH ARG ...": it runs
// rampload, which is to find a capacity between LOW and HIGH, and to have a lowest
// load that did not pass at most at HIGH. Near its capacity a service has no room
// for the requests that come together after a pause of the machine, so that the
// search has three tries.
func capacityBetween(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: capacity LOW TRUE HIGH ARG ...")
	}
	var bounds [3]float64
	for i := range bounds {
		var err error
		bounds[i], err = strconv.ParseFloat(args[i], 64)
		ts.Check(err)
	}
	for try := 1; ; try++ {
		why := searched(ts, bounds[0], bounds[2], args[3:])
		if why == "" {
			return
		}
		if try == 3 {
			ts.Fatalf("%s; want %v/s: %v/s to %v/s", why, bounds[1], bounds[0], bounds[2])
		}
		ts.Logf("%s", why)
		removeReport(ts, "r.json")
	}
}

// searched runs a search and says what is wrong with what it found.
func searched(ts *testscript.TestScript, low, high float64, args []string) string {
	if code := runProgram(ts, append(args, "--out", "r.json"), "", nil); code != 0 {
		return fmt.Sprintf("exit %d", code)
	}
	r, err := report.Read(strings.NewReader(ts.ReadFile("r.json")))
	ts.Check(err)
	c := r.Capacity
	if c == nil || c.Status != report.CapacityFound || !c.Complete || c.RPS == nil || c.HighRPS == nil {
		return fmt.Sprintf("the search found nothing: %+v", c)
	}
	if *c.RPS < low || *c.RPS > high || *c.HighRPS > high*1.05 {
		return fmt.Sprintf("capacity %v/s, below %v/s", *c.RPS, *c.HighRPS)
	}
	return ""
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
