package eval

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

// keptSize is what a kept run log should not exceed, in bytes.
const keptSize = 40_000

// ErrDisturbed says that a run is not fit to be kept: the load generator could
// not keep up though the scenario leaves it alone.
var ErrDisturbed = errors.New("the generator could not keep up: record it again on an idle machine")

// Keep thins the run log of a case and writes it to a folder of golden inputs as
// SCENARIO.runlog.gz, beside a SCENARIO.golden that says which causes are right.
// What the analysis says of it is added by the test that reads the folder, with
// -update. The log is thinned as far as its verdict allows.
func Keep(c Recorded, dir string) error {
	log, err := c.Log()
	if err != nil {
		return err
	}
	whole := diagnose.Analyze(log)
	if Judge(c.Case, log, whole).Disturbed {
		return fmt.Errorf("keep %s: %w", c.Name(), ErrDisturbed)
	}
	text, err := smallest(log)
	if err != nil {
		return fmt.Errorf("keep %s: %w", c.Name(), err)
	}
	base := filepath.Join(dir, c.Scenario)
	if err := os.WriteFile(base+logEnding, text, 0o644); err != nil {
		return fmt.Errorf("keep %s: %w", c.Name(), err)
	}
	golden := "expected: " + strings.Join(c.Causes, ", ") + "\n"
	if old, err := os.ReadFile(base + ".golden"); err == nil && bytes.HasPrefix(old, []byte(golden)) {
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keep %s: %w", c.Name(), err)
	}
	if err := os.WriteFile(base+".golden", []byte(golden), 0o644); err != nil {
		return fmt.Errorf("keep %s: %w", c.Name(), err)
	}
	return nil
}

// smallest compresses the log, thinned until it is small enough but never so far
// that the verdict is another than that of the log with all its connections.
func smallest(log *runlog.Log) ([]byte, error) {
	var best []byte
	var want diagnose.Finding
	for keep := 1; keep <= 64; keep *= 2 {
		thin := Thin(log, keep)
		got := diagnose.Analyze(thin).Findings[0]
		if keep == 1 {
			want = got
		} else if got.Verdict != want.Verdict || got.Cause != want.Cause {
			break
		}
		var b bytes.Buffer
		zip, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(WriteLog(zip, thin), zip.Close()); err != nil {
			return nil, err
		}
		if best = b.Bytes(); len(best) <= keptSize {
			break
		}
	}
	return best, nil
}
