package fleetcmd

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/fleet"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/run"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/runlog"
)

// ResumeFlags say where the rest of a run is.
type ResumeFlags struct {
	Resume bool
	server profiles.Fleet
	wait   time.Duration
}

func (r *ResumeFlags) Register(f *pflag.FlagSet) {
	f.BoolVar(&r.Resume, "resume", false, "put a run of a fleet together whose coordinator was killed, or which lacks records: name its run log or its id")
	f.StringVar(&r.server.NATS, "nats", "", "with --resume: `URL` of the fleet's NATS server, where the run log does not say")
	f.StringVar(&r.server.Creds, "creds", "", "with --resume: `FILE` with the coordinator's credentials")
	f.StringVar(&r.server.CA, "ca", "", "with --resume: `FILE` with the certificates to trust")
	f.DurationVar(&r.wait, "wait", 15*time.Second, "with --resume: how long to wait for workers and agents to deliver what they still hold")
}

// resume makes the report of a run from its stream and what others still hold, and
// keeps the whole run log beside the one that was cut short.
func (r *ResumeFlags) Run(ctx context.Context, env console.Env, arg string) (*report.Report, string, error) {
	id, server, store, path := arg, r.server, "", "rampload-"+arg+".runlog"
	if _, err := hex.DecodeString(arg); err != nil || len(arg) != 16 {
		log, err := readLogParts(arg)
		if err != nil {
			return nil, "", console.Usage(err)
		}
		p, err := yaml.Decode(arg, []byte(log.Header.Profile), yaml.Options{
			Getenv: func(string) (string, bool) { return "", true }, Resources: input.ResourceNames(),
		})
		if err != nil {
			return nil, "", console.Usage(fmt.Errorf("%s: read the profile within: %w", arg, err))
		}
		if !fleet.Needed(p) {
			return nil, "", console.Usage(fmt.Errorf("%s is of a run on one machine: there is nothing elsewhere to add, write rampload report %s", arg, arg))
		}
		id, server = log.Header.RunID, p.Fleet
		server.NATS, server.Creds, server.CA = cmp.Or(r.server.NATS, server.NATS), cmp.Or(r.server.Creds, server.Creds), cmp.Or(r.server.CA, server.CA)
		store = run.StreamFolder(arg)
		path = strings.TrimSuffix(arg, ".runlog") + ".whole.runlog"
	}
	if server.NATS == "" {
		if _, err := os.Stat(store); store == "" || err != nil {
			return nil, "", console.Usage(fmt.Errorf("the stream of run %s is not in %s: where it is on a NATS server, name that with --nats; else rampload report has all there is", id, cmp.Or(store, "a folder beside its run log")))
		}
	}
	if err := report.Vacant(path); err != nil {
		return nil, "", console.Usage(err)
	}
	warn := func(text string) { fmt.Fprintf(env.Stderr, "rampload: %s\n", console.Message(text)) }
	meeting, err := fleet.Meet(ctx, server, store, warn)
	if err != nil {
		return nil, "", console.NotRun(err)
	}
	whole := false
	defer func() { meeting.Close(whole) }()
	f, err := report.Create(path)
	if err != nil {
		return nil, "", console.NotRun(err)
	}
	got, err := fleet.Resume(ctx, meeting, id, r.wait, f)
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
		return nil, "", console.NotRun(fmt.Errorf("put run %s together: %w", id, err))
	}
	text := fmt.Sprintf("%s is the whole run: the records of %d workers and agents", path, got.Parts)
	if len(got.Open) > 0 {
		text = fmt.Sprintf("%s has what arrived: the records of %s have no end", path, strings.Join(got.Open, ", "))
	}
	warn(text)
	whole = got.Complete
	rep, err := input.ReadReport(path)
	return rep, path, err
}

// readLogParts reads a run log and leaves its parts apart.
func readLogParts(path string) (*runlog.Log, error) {
	f, err := input.OpenFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no run log %s; name the .runlog of the run, or its id of 16 digits", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open run log: %w", err)
	}
	defer f.Close()
	log, err := runlog.ReadParts(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return log, nil
}
