// Package eval measures how right the diagnosis is: it runs scenarios of the lab
// through the program itself, keeps each run log beside the truth that the
// scenario's injector counted, and scores the analysis of the logs, whole and
// with sources of evidence taken away, against that truth and against simpler
// methods on the same logs. It holds no rules of diagnosis.
package eval

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/report/runlog"
)

// Case is one run of a scenario: what was expected of it and what really
// happened. The run log lies beside it.
type Case struct {
	Scenario string   `json:"scenario"`
	Family   string   `json:"family"`
	Seed     uint64   `json:"seed"`
	Causes   []string `json:"causes"` // right cause keys, the scenario's own first
	Host     string   `json:"host,omitempty"`
	Process  string   `json:"process,omitempty"`
	Resource string   `json:"resource,omitempty"`
	// LoadLow and LoadHigh bound the offered load at the onset, in requests per
	// second, as computed from the limits; 0 where only the truth can tell.
	LoadLow  float64   `json:"load_low_rps,omitempty"`
	LoadHigh float64   `json:"load_high_rps,omitempty"`
	Truth    lab.Truth `json:"truth"`
}

// NewCase describes a scenario that has run.
func NewCase(s lab.Scenario, seed uint64, expect lab.Expect, truth lab.Truth) Case {
	c := Case{
		Scenario: s.Name, Family: s.Family, Seed: seed,
		Causes: append([]string{s.Cause}, expect.Causes...),
		Host:   expect.Host, Process: expect.Process, Resource: expect.Resource,
		LoadLow: expect.LoadLow, LoadHigh: expect.LoadHigh, Truth: truth,
	}
	if expect.OnlyLate != "" && truth.OnlyLate() {
		c.Causes, c.Resource = []string{expect.OnlyLate}, ""
	}
	return c
}

// Name is the file name of the case without endings.
func (c Case) Name() string { return fmt.Sprintf("%s-%d", c.Scenario, c.Seed) }

// Kind says what a right diagnosis of the case looks like.
type Kind string

// The kinds of cases.
const (
	Fault     Kind = "fault"     // has a cause that probes can see
	Control   Kind = "control"   // is healthy
	Unseen    Kind = "unseen"    // has a cause that no probe can see: right is to say so
	Generator Kind = "generator" // the load generator itself is the limit
)

// Kind returns the kind of the case.
func (c Case) Kind() Kind {
	switch cause := c.Causes[0]; {
	case cause == "healthy":
		return Control
	case cause == "unexplained":
		return Unseen
	case cause == "client-timeout": // a slow server: the generator keeps up
		return Fault
	case strings.HasPrefix(cause, "client-"):
		return Generator
	}
	return Fault
}

// Write writes the case as JSON to a file, over an older one.
func (c Case) Write(path string) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("encode case %s: %w", c.Name(), err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write case %s: %w", c.Name(), err)
	}
	return nil
}

// ReadCase reads what [Case.Write] wrote.
func ReadCase(path string) (Case, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Case{}, fmt.Errorf("read case: %w", err)
	}
	var c Case
	if err := json.Unmarshal(text, &c); err != nil {
		return Case{}, fmt.Errorf("read case %s: %w", path, err)
	}
	if c.Scenario == "" || len(c.Causes) == 0 {
		return Case{}, fmt.Errorf("read case %s: names no scenario or no cause", path)
	}
	return c, nil
}

// Recorded is a case with the place of its run log.
type Recorded struct {
	Case
	LogPath string
}

// Log reads the run log of the case.
func (r Recorded) Log() (*runlog.Log, error) {
	f, err := os.Open(r.LogPath)
	if err != nil {
		return nil, fmt.Errorf("open run log: %w", err)
	}
	defer f.Close()
	log, err := runlog.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.LogPath, err)
	}
	return log, nil
}

// Endings of the files of a case.
const (
	caseEnding = ".case.json"
	logEnding  = ".runlog.gz"
)

// ReadRun returns one recorded case of a folder.
func ReadRun(dir string, run Run) (Recorded, error) {
	base := filepath.Join(dir, run.Name())
	c, err := ReadCase(base + caseEnding)
	return Recorded{c, base + logEnding}, err
}

// ReadDir returns the cases of a folder that have a run log, in order of name.
func ReadDir(dir string) ([]Recorded, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+caseEnding))
	if err != nil {
		return nil, fmt.Errorf("list cases: %w", err)
	}
	var out []Recorded
	for _, path := range paths {
		c, err := ReadCase(path)
		if err != nil {
			return nil, err
		}
		r := Recorded{c, strings.TrimSuffix(path, caseEnding) + logEnding}
		if _, err := os.Stat(r.LogPath); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("find run log: %w", err)
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Recorded) int {
		return cmp.Or(cmp.Compare(a.Scenario, b.Scenario), cmp.Compare(a.Seed, b.Seed))
	})
	return out, nil
}
