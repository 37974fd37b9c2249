package input

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/assemble"
	"github.com/rampload/rampload/report/runlog"
)

// ReadReports reads a report, or makes one from the run logs of several machines.
func ReadReports(paths []string) (*report.Report, error) {
	if len(paths) == 1 {
		return ReadReport(paths[0])
	}
	var logs []*runlog.Log
	for _, path := range paths {
		f, err := OpenFile(path)
		if err != nil {
			return nil, fmt.Errorf("open run log: %w", err)
		}
		log, err := runlog.ReadParts(f)
		f.Close()
		if errors.Is(err, runlog.ErrNotRunLog) {
			return nil, fmt.Errorf("%s is not a run log: several files make one report only if they are the run logs of one run; to set reports side by side write rampload compare", path)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		logs = append(logs, log)
	}
	log, err := runlog.Merge(logs...)
	if err != nil {
		return nil, err
	}
	return reportOf(paths[0], log)
}

// ReadReport reads a report, or makes one from a run log.
func ReadReport(path string) (*report.Report, error) {
	f, err := OpenFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("no report %s; name a .json report or a .runlog", path)
	case err != nil:
		return nil, fmt.Errorf("open report: %w", err)
	}
	defer f.Close()
	br := bufio.NewReaderSize(f, 1<<16)
	prefix, _ := br.Peek(32)
	if !runlog.IsRunLog(prefix) {
		r, err := report.Read(br)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return r, nil
	}
	log, err := runlog.Read(br)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return reportOf(path, log)
}

// reportOf makes the report of a run log.
func reportOf(path string, log *runlog.Log) (*report.Report, error) {
	// The log's profile is redacted: its secrets do not bear on gates.
	p, err := yaml.Decode(path, []byte(log.Header.Profile), yaml.Options{
		Getenv: func(string) (string, bool) { return "", true }, Resources: ResourceNames(),
	})
	if err != nil {
		return nil, fmt.Errorf("%s: read the profile within: %w", path, err)
	}
	return BuildReport(log, p)
}

// Frugal lets memory be collected sooner, for the reading of long runs, until the returned
// function is called.
func Frugal(env console.Env) func() {
	if _, set := env.LookupEnv("GOGC"); set {
		return func() {}
	}
	before := debug.SetGCPercent(reportGC)
	return func() { debug.SetGCPercent(before) }
}

// reportGC is GOGC while a run log is read and reported on: a day of twenty targets then
// stays below 500 MB.
const reportGC = 30

func BuildReport(log *runlog.Log, p profiles.Profile) (*report.Report, error) {
	return assemble.Build(log, assemble.Options{Gates: p.RunGates(), Search: searched(p)})
}

// searched is the search of a profile as a report needs it.
func searched(p profiles.Profile) *assemble.Search {
	stage, ok := p.SearchStage()
	if !ok {
		return nil
	}
	return &assemble.Search{Stage: stage, Until: p.SearchGates()}
}
