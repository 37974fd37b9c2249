// Package keep writes the files of a run so that no disk can cost a verdict: names are
// taken before the load, and what cannot be written where it belongs is kept elsewhere.
package keep

import (
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

// Outputs are the files of a run. Their names are reserved before any load is sent,
// because a name that is taken or a folder that cannot be written must not be found
// out after the run. Report and capture are created when they are written.
type Outputs struct {
	Report, Log, Capture string
	Reserved             *os.File // the empty run log, locked
}

// Reserve takes the names of a run's files: those that --out gives, or free ones
// after the profile's name and the time. Empty files that a killed start left, or
// that mktemp made, are in nobody's way.
func Reserve(out, name string, now time.Time) (*Outputs, error) {
	if out != "" {
		return reserveNamed(out)
	}
	base := fmt.Sprintf("rampload-%s-%s", FileName(name), now.UTC().Format("20060102-150405"))
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

func reserveNamed(out string) (*Outputs, error) {
	base := strings.TrimSuffix(out, filepath.Ext(out))
	o := &Outputs{Report: out, Log: base + ".runlog", Capture: strings.TrimSuffix(out, ".json") + ".resets.pcapng"}
	if o.Log == out {
		return nil, fmt.Errorf("--out %s would take the run log's name: end the report's name in .json", out)
	}
	for _, name := range []string{o.Report, o.Capture} {
		if err := report.Vacant(name); err != nil {
			return nil, err
		}
	}
	if held, err := os.Open(o.Log); err == nil {
		inUse := lockFile(held) != nil
		held.Close()
		if inUse {
			return nil, fmt.Errorf("create report %s: %w: another run is writing %s; choose another name with --out", out, report.ErrExists, o.Log)
		}
	}
	f, err := report.Create(o.Log)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("create report %s: %w: another run is writing %s; choose another name with --out", out, report.ErrExists, o.Log)
	}
	o.Reserved = f
	return o, nil
}

// Release gives the names back.
func (o *Outputs) Release() {
	o.Reserved.Close()
	os.Remove(o.Log)
}

// Save writes a file under its name or, where that cannot be done, in the folder
// for temporary files, and returns where it is. An error beside a path says why it
// is not where it should be; without a path the file is lost.
func Save(path string, write func(io.Writer) error) (kept string, err error) {
	err = Create(path, write)
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

// Create writes a new file, whole or not at all.
func Create(path string, write func(io.Writer) error) error {
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

// CannotWrite is an error of writing a file in words that a user can act on.
func CannotWrite(path string, err error) error {
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

// FileName makes a profile's name fit for a file.
func FileName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, name)
}
