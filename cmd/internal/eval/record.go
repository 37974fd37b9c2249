package eval

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Plan is what to run.
type Plan struct {
	Scenarios []string
	Seeds     []uint64
}

// Run is one scenario with one seed.
type Run struct {
	Scenario string
	Seed     uint64
}

// Name is the file name of the run without endings.
func (r Run) Name() string { return fmt.Sprintf("%s-%d", r.Scenario, r.Seed) }

// Order returns all runs of the plan in random order, so that what disturbs the
// machine for a while does not fall on one scenario.
func (p Plan) Order(order *rand.Rand) []Run {
	var out []Run
	for _, s := range p.Scenarios {
		for _, seed := range p.Seeds {
			out = append(out, Run{s, seed})
		}
	}
	order.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// Recorder runs scenarios, each in a process of its own, and keeps their run
// logs and truths in a folder.
type Recorder struct {
	Exe     string        // the rampload program
	Dir     string        // an existing folder
	Timeout time.Duration // of one run, its start and end included
	Shorten float64       // divides the length of the load; 0 is 1
	Agents  bool          // hosts that are namespaces are watched by agents too
}

// Has reports whether a run is recorded already.
func (r Recorder) Has(run Run) bool {
	for _, ending := range []string{caseEnding, logEnding} {
		if _, err := os.Stat(filepath.Join(r.Dir, run.Name()+ending)); err != nil {
			return false
		}
	}
	return true
}

// Record runs a scenario and keeps its run log and its truth, in place of those
// of an earlier run. The scenario is interrupted when ctx or its time ends; it
// then undoes what it set up.
func (r Recorder) Record(ctx context.Context, run Run) error {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "rampload-eval-")
	if err != nil {
		return fmt.Errorf("make a folder for %s: %w", run.Name(), err)
	}
	defer os.RemoveAll(dir)
	base := filepath.Join(dir, "run")
	cmd := exec.CommandContext(ctx, r.Exe, "demo", run.Scenario, "--seed", strconv.FormatUint(run.Seed, 10),
		"--quiet", "--out", base+".json", "--truth", base+caseEnding, "--shorten", strconv.FormatFloat(max(1, r.Shorten), 'f', -1, 64))
	if r.Agents {
		cmd.Args = append(cmd.Args, "--agents")
	}
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	said, err := cmd.CombinedOutput()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		return fmt.Errorf("run %s: %w", run.Name(), err)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("run %s: %w", run.Name(), ctx.Err())
	}
	// The exit code says whether the verdict was the expected one, which is not
	// what makes a run good.
	if _, err := os.Stat(base + caseEnding); err != nil {
		return fmt.Errorf("run %s: %s", run.Name(), lastLine(string(said)))
	}
	kept := filepath.Join(r.Dir, run.Name())
	if err := compress(base+".runlog", kept+logEnding); err != nil {
		return fmt.Errorf("keep the run log of %s: %w", run.Name(), err)
	}
	c, err := ReadCase(base + caseEnding)
	if err != nil {
		return err
	}
	return c.Write(kept + caseEnding)
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

func compress(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	zip, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return errors.Join(err, out.Close())
	}
	_, err = io.Copy(zip, in)
	return errors.Join(err, zip.Close(), out.Close())
}
