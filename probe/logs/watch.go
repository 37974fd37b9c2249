// Package logs follows what services write into logs: files with their rotation, the
// journal, stores that are asked. It hands on the lines that tell of a fault, few of each
// kind, as events; package parse reads them.
package logs

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/logs/parse"
	"github.com/rampload/rampload/profiles"
)

// Log follows one log of a host: its Watch hands on the lines that tell of a fault, as
// events of the kind [probe.LogLine].
type Log struct {
	entry  profiles.Log
	source probe.Source
	clock  probe.Clock
	fields parse.Fields
	fs     string // in tests, in the place of the root directory

	missing []string
	keepers []*keeper
	servers *servers
}

var (
	_ probe.Watcher       = (*Log)(nil)
	_ probe.PartialSource = (*Log)(nil)
)

// New returns the watcher of a log of a profile's host. netns is the named network
// namespace that the host is, "" for the machine.
func New(entry profiles.Log, host, netns string, clock probe.Clock) *Log {
	f := entry.Fields
	name := cmp.Or(entry.File, entry.Journal)
	switch {
	case entry.Container != "":
		name = "of container " + entry.Container
	case entry.Journal == "all":
		name = "journal"
	case entry.Journal != "":
		name = "journal of " + entry.Journal
	case entry.URL != "":
		name = storeName(entry.URL)
	}
	return &Log{
		entry: entry, source: probe.Source{Host: host, Name: "log " + name}, clock: clock,
		servers: &servers{configs: balancerConfigs(netns)},
		fields:  parse.Fields{Time: f["time"], Level: f["level"], Message: f["message"], Service: f["service"], ID: f["id"], Peer: f["peer"], Status: f["status"]},
	}
}

// Source names the log.
func (log *Log) Source() probe.Source { return log.source }

// Check says whether there is something to follow now.
func (log *Log) Check() error {
	switch {
	case log.entry.File != "":
		paths, err := matches(log.entry.File)
		if err != nil {
			return err
		}
		if len(paths) == 0 {
			return fmt.Errorf("no file is called %s yet: it is followed when it comes", log.entry.File)
		}
		f, err := open(paths[0], false)
		if err != nil {
			return err
		}
		return f.file.Close()
	case log.entry.Container != "":
		if len(containerFiles(log.root(), log.entry.Container)) > 0 {
			return nil
		}
		if _, err := os.Stat(filepath.Join(log.root(), dockerSocket)); err != nil {
			return fmt.Errorf("no container %s has a log here, and there is no %s: name it as docker ps does, or run as root", log.entry.Container, dockerSocket)
		}
	case log.entry.Journal != "":
		if _, err := exec.LookPath("journalctl"); err != nil {
			return errors.New("journalctl is not installed")
		}
	}
	return nil
}

// Missing says what was not read, nil for nothing.
func (log *Log) Missing() []*probe.Unsupported {
	var dropped, skewed, seen uint64
	var off time.Duration
	for _, k := range log.keepers {
		if k.off.Abs() > off.Abs() {
			off = k.off
		}
		dropped, skewed, seen = dropped+k.dropped, skewed+k.skewed, seen+k.seen
	}
	reasons := slices.Clone(log.missing)
	if dropped > 0 {
		reasons = append(reasons, fmt.Sprintf("%d lines were more than it hands on in a second", dropped))
	}
	if skewed > 0 && 2*skewed > seen/10 {
		reasons = append(reasons, fmt.Sprintf("%d lines give themselves a time up to %s %s that at which they were read: another clock or zone, which is taken off", skewed, apart(off), beforeOrAfter(off)))
	}
	var out []*probe.Unsupported
	for _, r := range reasons {
		out = append(out, &probe.Unsupported{What: log.source.Name, Reason: r})
	}
	return out
}

// apart words how far times are from each other.
func apart(off time.Duration) string {
	if days := off.Abs().Hours() / 24; days >= 2 {
		return fmt.Sprintf("%.0f days", days)
	}
	return off.Abs().Round(time.Second).String()
}

func beforeOrAfter(off time.Duration) string {
	if off > 0 {
		return "before"
	}
	return "after"
}

func (log *Log) lacks(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(log.missing) < 8 && !slices.Contains(log.missing, text) {
		log.missing = append(log.missing, text)
	}
}

// Watch follows the log until ctx is done.
func (log *Log) Watch(ctx context.Context, emit func(probe.Event)) error {
	switch {
	case log.entry.Journal != "":
		return log.journal(ctx, emit)
	case log.entry.URL != "":
		return log.ask(ctx, emit)
	case log.entry.Container != "":
		return log.container(ctx, emit)
	}
	return log.files(ctx, func() ([]string, error) { return matches(log.entry.File) }, emit)
}

func (log *Log) root() string { return cmp.Or(log.fs, "/") }

func (log *Log) keeper(file, service string) *keeper {
	k := &keeper{parser: parse.Parser{Fields: log.fields, Format: log.entry.Format}, file: file, service: cmp.Or(log.entry.Service, service), source: log.source, clock: log.clock, servers: log.servers}
	log.keepers = append(log.keepers, k)
	return k
}

// files follows the files of a glob: those that are there from their end on, those that
// come from their beginning.
func (log *Log) files(ctx context.Context, find func() ([]string, error), emit func(probe.Event)) error {
	tails := map[string]*tail{}
	known := map[string]int64{} // packed files with their size; -1: read, or of before
	defer func() {
		for _, f := range tails {
			f.file.Close()
		}
	}()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	buf := make([]byte, readAtOnce)
	for look := 0; ; look++ {
		now := log.clock.Now()
		if look%5 == 0 {
			paths, err := find()
			if err != nil {
				log.lacks("%s", err)
			}
			if len(paths) > maxFiles {
				log.lacks("%d files match, %d are followed", len(paths), maxFiles)
				paths = paths[:maxFiles]
			}
			for _, path := range paths {
				if strings.HasSuffix(path, suffixPacked) {
					log.packed(path, look > 0 && !packedOf(path, tails), known, now, emit)
					continue
				}
				if tails[path] != nil {
					continue
				}
				f, err := open(path, look > 0)
				if err != nil {
					log.lacks("%s", err)
					continue
				}
				if look > 0 && slices.ContainsFunc(slices.Collect(maps.Values(tails)), func(o *tail) bool { return os.SameFile(o.info, f.info) }) {
					f.file.Close() // it was followed by its old name
					continue
				}
				tails[path] = &tail{f, log.keeper(path, cmp.Or(log.entry.Container, serviceOf(path)))}
			}
		}
		for path, f := range tails {
			err := f.read(buf, func(text string) { f.keep.line(text, now, emit) })
			if err != nil {
				log.lacks("%s: %s", path, err)
			}
			if f.skipped > 0 {
				log.lacks("%s grew faster than it is read", path)
			}
			f.keep.flush(now, emit)
			if look%5 == 4 && f.moved() {
				_ = f.read(buf, func(text string) { f.keep.line(text, now, emit) })
				f.file.Close()
				delete(tails, path)
				if next, err := open(path, true); err == nil {
					tails[path] = &tail{next, f.keep}
				}
			}
		}
		select {
		case <-ctx.Done():
			for _, f := range tails {
				_ = f.read(buf, func(text string) { f.keep.line(text, log.clock.Now(), emit) })
				f.keep.flush(log.clock.Now()+time.Hour, emit)
			}
			if len(tails) == 0 && len(log.keepers) == 0 {
				none := "no file is called "
				if info, err := os.Stat(log.entry.File); err == nil && info.IsDir() {
					none = "a folder, and no file, is called "
				}
				return &probe.Unsupported{What: log.source.Name, Reason: cmp.Or(strings.Join(log.missing, "; "), none+cmp.Or(log.entry.File, "as a log of "+log.entry.Container))}
			}
			return nil
		case <-ticker.C:
		}
	}
}

// packed reads a packed file once it is whole: it does not grow from one look to the next.
func (log *Log) packed(path string, wanted bool, known map[string]int64, now time.Duration, emit func(probe.Event)) {
	info, err := os.Stat(path)
	before, seen := known[path]
	switch {
	case err != nil || seen && before < 0:
		return
	case !wanted:
		known[path] = -1
		return
	case !seen || before != info.Size():
		known[path] = info.Size()
		return
	}
	known[path] = -1
	k := log.keeper(path, serviceOf(path))
	if err := unpack(path, func(text string) { k.line(text, now, emit) }); err != nil {
		log.lacks("%s", err)
	}
	k.flush(now+time.Hour, emit)
}

// tail is a file that is followed, and what is kept of its lines.
type tail struct {
	*followed
	keep *keeper
}

// packedOf reports whether a packed file is a copy of one that was followed: it says
// nothing new.
func packedOf(path string, tails map[string]*tail) bool {
	for followed := range tails {
		if strings.HasPrefix(path, followed) {
			return true
		}
	}
	return false
}

// serviceOf guesses who writes a file: its name, or its folder's where the name only says
// what kind of log it is.
func serviceOf(path string) string {
	if pod := podOf(path); pod != "" {
		return pod
	}
	name := strings.TrimSuffix(filepath.Base(path), suffixPacked)
	name, _, _ = strings.Cut(name, ".")
	switch strings.ToLower(name) {
	case "error", "access", "errors", "log", "stdout", "stderr", "server", "current", "app", "application", "output", "err", "out", "0", "1":
		if dir := filepath.Base(filepath.Dir(path)); dir != "log" && dir != "logs" && dir != "." && dir != "/" && dir != "tmp" {
			return dir
		}
	}
	for _, end := range []string{"-error", "-access", "_error", "_access", "-err", "-log", "_log"} {
		name = strings.TrimSuffix(name, end)
	}
	return name
}

// journal follows the journal by journalctl.
func (log *Log) journal(ctx context.Context, emit func(probe.Event)) error {
	args := []string{"--output=json", "--all", "--follow", "--lines=0", "--no-pager"}
	if log.entry.Journal != "all" {
		args = append(args, "--unit="+log.entry.Journal)
	}
	cmd := exec.CommandContext(ctx, "journalctl", args...)
	cmd.WaitDelay = time.Second
	var said strings.Builder
	cmd.Stderr = writer(func(p []byte) {
		if said.Len() < 400 {
			said.Write(p)
		}
	})
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return &probe.Unsupported{What: log.source.Name, Reason: err.Error(), Needs: "journalctl"}
	}
	unit := strings.TrimSuffix(log.entry.Journal, ".service")
	if unit == "all" {
		unit = ""
	}
	log.stream(out, func(k *keeper, line string) { k.journalLine(line, log.clock.Now(), emit) }, log.keeper("journal", unit), emit)
	if err := cmd.Wait(); ctx.Err() == nil {
		return fmt.Errorf("follow the journal: journalctl ended (%w) %s", cmp.Or(err, io.EOF), parse.Clean(said.String(), 200))
	}
	return nil
}

// stream reads lines until their end, and lets the keeper flush meanwhile.
func (log *Log) stream(r io.Reader, take func(*keeper, string), k *keeper, emit func(probe.Event)) {
	lines := make(chan string, 256)
	go func() {
		defer close(lines)
		s := bufio.NewScanner(r)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			lines <- s.Text()
		}
		_, _ = io.Copy(io.Discard, r) // a line that is too long ends the reading, not the run
	}()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case line, more := <-lines:
			if !more {
				k.flush(log.clock.Now()+time.Hour, emit)
				return
			}
			take(k, line)
		case <-ticker.C:
			k.flush(log.clock.Now(), emit)
		}
	}
}

// whoWrote are fields of the journal that name who wrote an entry, the most telling first:
// Docker's own, the unit, what the writer calls itself, its program.
var whoWrote = [...]string{"CONTAINER_NAME", "_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER", "_COMM"}

// journalLine takes an entry of the journal as journalctl writes it in JSON, its fields in
// any order.
func (k *keeper) journalLine(line string, now time.Duration, emit func(probe.Event)) {
	var message, stamp, level, id, trace string
	var who [len(whoWrote)]string
	s := parse.Scanner{S: line, Bytes: true}
	if !s.Object("", func(name, value string) {
		switch name {
		case "MESSAGE":
			message = value
		case "__REALTIME_TIMESTAMP":
			stamp = value
		case "PRIORITY":
			level = value
		default:
			if i := slices.Index(whoWrote[:], name); i >= 0 {
				who[i] = value
			}
			if name == "" || name[0] == '_' {
				return // the journal's own
			}
			switch k.parser.Fields.Of(name) { // of services that hand over fields
			case parse.FieldID:
				id = value
			case parse.FieldTrace:
				trace = value
			}
		}
	}) || message == "" {
		return
	}
	k.seen++
	e := k.parser.Parse(message)
	if l := parse.LevelOf(level); e.Level == parse.LevelUnknown || e.Level < l && l >= parse.LevelWarn {
		e.Level = l
	}
	if e.Level == parse.LevelInfo && e.Format == "text" {
		e.Level = parse.LevelUnknown // journald gives it to all that is printed
	}
	if !e.Tells() {
		return
	}
	e.Time = stamp
	if e.ID == "" {
		if e.ID = id; id == "" || parse.IDIn(id) == "" && parse.IDIn(trace) != "" {
			e.ID = trace
		}
	}
	if e.Service == "" && k.service == "" {
		unit, service := strings.CutSuffix(who[1], ".service")
		if who[1] = unit; !service || strings.HasPrefix(unit, "user@") { // a session, a slice
			who[1] = ""
		}
		e.Service = cmp.Or(who[:]...)
	}
	if k.pending != nil {
		k.keep(emit)
	}
	k.arrived, k.pending = now, &e
	k.keep(emit)
}
