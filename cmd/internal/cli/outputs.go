package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rampload/rampload/report"
)

// outputs are the files of a run. Their names are reserved before any load is sent,
// because a name that is taken or a folder that cannot be written must not be found
// out after the run. Report and capture are created when they are written.
type outputs struct {
	report, log, capture string
	reserved             *os.File // the empty run log, locked
}

// reserve takes the names of a run's files: those that --out gives, or free ones
// after the profile's name and the time. Empty files that a killed start left, or
// that mktemp made, are in nobody's way.
func reserve(out, name string, now time.Time) (*outputs, error) {
	if out != "" {
		return reserveNamed(out)
	}
	base := fmt.Sprintf("rampload-%s-%s", fileName(name), now.UTC().Format("20060102-150405"))
	for n := 1; ; n++ {
		out := base + ".json"
		if n > 1 {
			out = fmt.Sprintf("%s-%d.json", base, n)
		}
		o, err := reserveNamed(out)
		if n < 100 && errors.Is(err, report.ErrExists) {
			continue
		}
		return o, err
	}
}

func reserveNamed(out string) (*outputs, error) {
	base := strings.TrimSuffix(out, filepath.Ext(out))
	o := &outputs{report: out, log: base + ".runlog", capture: strings.TrimSuffix(out, ".json") + ".resets.pcapng"}
	if o.log == out {
		return nil, fmt.Errorf("--out %s would take the run log's name: end the report's name in .json", out)
	}
	for _, name := range []string{o.report, o.capture} {
		if err := report.Vacant(name); err != nil {
			return nil, err
		}
	}
	if held, err := os.Open(o.log); err == nil {
		inUse := lockFile(held) != nil
		held.Close()
		if inUse {
			return nil, fmt.Errorf("create report %s: %w: another run is writing %s; choose another name with --out", out, report.ErrExists, o.log)
		}
	}
	f, err := report.Create(o.log)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("create report %s: %w: another run is writing %s; choose another name with --out", out, report.ErrExists, o.log)
	}
	o.reserved = f
	return o, nil
}

// release gives the names back.
func (o *outputs) release() {
	o.reserved.Close()
	os.Remove(o.log)
}

// keep writes a file under its name or, where that cannot be done, in the folder
// for temporary files, and returns where it is. An error beside a path says why it
// is not where it should be; without a path the file is lost.
func keep(path string, write func(io.Writer) error) (kept string, err error) {
	err = create(path, write)
	if err == nil {
		return path, nil
	}
	elsewhere, tmpErr := os.CreateTemp("", strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))+"-*"+filepath.Ext(path)) // 0600
	if tmpErr != nil {
		return "", err
	}
	if tmpErr = errors.Join(write(elsewhere), elsewhere.Close()); tmpErr != nil {
		os.Remove(elsewhere.Name())
		return "", err
	}
	return elsewhere.Name(), err
}

// create writes a new file, whole or not at all.
func create(path string, write func(io.Writer) error) error {
	f, err := report.Create(path)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		os.Remove(path)
		return err
	}
	return nil
}

// writeOut writes to a new file, or to standard output when path is empty. The
// file is created when all of it is there. A reader of standard output that went
// away has seen what it wanted: that is no error.
func writeOut(env Env, path string, write func(io.Writer, terminal) error) error {
	var all bytes.Buffer
	if path != "" {
		if err := report.Vacant(path); err != nil {
			return usage(err)
		}
		if err := write(&all, terminal{width: defaultWidth}); err != nil {
			return err
		}
		if err := create(path, func(w io.Writer) error { _, err := w.Write(all.Bytes()); return err }); err != nil {
			return notRun(cannotWrite(path, err))
		}
		return nil
	}
	if err := write(&all, newTerminal(env)); err != nil {
		return err
	}
	return printed(env.Stdout.Write(all.Bytes()))
}

// printed judges a write to standard output.
func printed(_ int, err error) error {
	if err == nil || errors.Is(err, readerGone) {
		return nil
	}
	return notRun(cannotWrite("standard output", err))
}

// cannotWrite is an error of writing a file in words that a user can act on.
func cannotWrite(path string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err // which would name the path again
	}
	hint := ""
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		hint = "; free some space"
	case errors.Is(err, syscall.EFBIG):
		hint = "; raise the limit of file sizes (ulimit -f)"
	}
	return fmt.Errorf("%s could not be written: %w%s", path, err, hint)
}

// fileName makes a profile's name fit for a file.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, name)
}
