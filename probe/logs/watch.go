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
func (l *Log) Source() probe.Source { return l.source }

// Check says whether there is something to follow now.
func (l *Log) Check() error {
	switch {
	case l.entry.File != "":
		paths, err := matches(l.entry.File)
		if err != nil {
			return err
		}
		if len(paths) == 0 {
			return fmt.Errorf("no file is called %s yet: it is followed when it comes", l.entry.File)
		}
		f, err := open(paths[0], false)
		if err != nil {
			return err
		}
		return f.file.Close()
	case l.entry.Container != "":
		if len(containerFiles(l.root(), l.entry.Container)) > 0 {
			return nil
		}
		if _, err := os.Stat(filepath.Join(l.root(), dockerSocket)); err != nil {
			return fmt.Errorf("no container %s has a log here, and there is no %s: name it as docker ps does, or run as root", l.entry.Container, dockerSocket)
		}
	case l.entry.Journal != "":
		if _, err := exec.LookPath("journalctl"); err != nil {
			return errors.New("journalctl is not installed")
		}
	}
	return nil
}

// Missing says what was not read, nil for nothing.
func (l *Log) Missing() []*probe.Unsupported {
	var dropped, skewed, seen uint64
	var off time.Duration
	for _, k := range l.keepers {
		if k.off.Abs() > off.Abs() {
			off = k.off
		}
		dropped, skewed, seen = dropped+k.dropped, skewed+k.skewed, seen+k.seen
	}
	reasons := slices.Clone(l.missing)
	if dropped > 0 {
		reasons = append(reasons, fmt.Sprintf("%d lines were more than it hands on in a second", dropped))
	}
	if skewed > 0 && 2*skewed > seen/10 {
		reasons = append(reasons, fmt.Sprintf("%d lines give themselves a time up to %s %s that at which they were read, which counts: another clock or zone", skewed, apart(off), beforeOrAfter(off)))
	}
	var out []*probe.Unsupported
	for _, r := range reasons {
		out = append(out, &probe.Unsupported{What: l.source.Name, Reason: r})
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

func (l *Log) lacks(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(l.missing) < 8 && !slices.Contains(l.missing, text) {
		l.missing = append(l.missing, text)
	}
}

// Watch follows the log until ctx is done.
func (l *Log) Watch(ctx context.Context, emit func(probe.Event)) error {
	switch {
	case l.entry.Journal != "":
		return l.journal(ctx, emit)
	case l.entry.URL != "":
		return l.ask(ctx, emit)
	case l.entry.Container != "":
		return l.container(ctx, emit)
	}
	return l.files(ctx, func() ([]string, error) { return matches(l.entry.File) }, emit)
}

func (l *Log) root() string { return cmp.Or(l.fs, "/") }

func (l *Log) keeper(file, service string) *keeper {
	k := &keeper{parser: parse.Parser{Fields: l.fields, Format: l.entry.Format}, file: file, service: cmp.Or(l.entry.Service, service), source: l.source, clock: l.clock, servers: l.servers}
	l.keepers = append(l.keepers, k)
	return k
}

// files follows the files of a glob: those that are there from their end on, those that
// come from their beginning.
func (l *Log) files(ctx context.Context, find func() ([]string, error), emit func(probe.Event)) error {
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
		now := l.clock.Now()
		if look%5 == 0 {
			paths, err := find()
			if err != nil {
				l.lacks("%s", err)
			}
			if len(paths) > maxFiles {
				l.lacks("%d files match, %d are followed", len(paths), maxFiles)
				paths = paths[:maxFiles]
			}
			for _, path := range paths {
				if strings.HasSuffix(path, suffixPacked) {
					l.packed(path, look > 0 && !packedOf(path, tails), known, now, emit)
					continue
				}
				if tails[path] != nil {
					continue
				}
				f, err := open(path, look > 0)
				if err != nil {
					l.lacks("%s", err)
					continue
				}
				if look > 0 && slices.ContainsFunc(slices.Collect(maps.Values(tails)), func(o *tail) bool { return os.SameFile(o.info, f.info) }) {
					f.file.Close() // it was followed by its old name
					continue
				}
				tails[path] = &tail{f, l.keeper(path, cmp.Or(l.entry.Container, serviceOf(path)))}
			}
		}
		for path, f := range tails {
			err := f.read(buf, func(text string) { f.keep.line(text, now, emit) })
			if err != nil {
				l.lacks("%s: %s", path, err)
			}
			if f.skipped > 0 {
				l.lacks("%s grew faster than it is read", path)
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
				_ = f.read(buf, func(text string) { f.keep.line(text, l.clock.Now(), emit) })
				f.keep.flush(l.clock.Now()+time.Hour, emit)
			}
			if len(tails) == 0 && len(l.keepers) == 0 {
				none := "no file is called "
				if info, err := os.Stat(l.entry.File); err == nil && info.IsDir() {
					none = "a folder, and no file, is called "
				}
				return &probe.Unsupported{What: l.source.Name, Reason: cmp.Or(strings.Join(l.missing, "; "), none+cmp.Or(l.entry.File, "as a log of "+l.entry.Container))}
			}
			return nil
		case <-ticker.C:
		}
	}
}

// packed reads a packed file once it is whole: it does not grow from one look to the next.
func (l *Log) packed(path string, wanted bool, known map[string]int64, now time.Duration, emit func(probe.Event)) {
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
	k := l.keeper(path, serviceOf(path))
	if err := unpack(path, func(text string) { k.line(text, now, emit) }); err != nil {
		l.lacks("%s", err)
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
func (l *Log) journal(ctx context.Context, emit func(probe.Event)) error {
	args := []string{"--output=json", "--all", "--follow", "--lines=0", "--no-pager"}
	if l.entry.Journal != "all" {
		args = append(args, "--unit="+l.entry.Journal)
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
		return &probe.Unsupported{What: l.source.Name, Reason: err.Error(), Needs: "journalctl"}
	}
	unit := strings.TrimSuffix(l.entry.Journal, ".service")
	if unit == "all" {
		unit = ""
	}
	l.stream(out, func(k *keeper, line string) { k.journalLine(line, l.clock.Now(), emit) }, l.keeper("journal", unit), emit)
	if err := cmd.Wait(); ctx.Err() == nil {
		return fmt.Errorf("follow the journal: journalctl ended (%w) %s", cmp.Or(err, io.EOF), parse.Clean(said.String(), 200))
	}
	return nil
}

// stream reads lines until their end, and lets the keeper flush meanwhile.
func (l *Log) stream(r io.Reader, take func(*keeper, string), k *keeper, emit func(probe.Event)) {
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
				k.flush(l.clock.Now()+time.Hour, emit)
				return
			}
			take(k, line)
		case <-ticker.C:
			k.flush(l.clock.Now(), emit)
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
