package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Errors of Read and Create, to be judged with errors.Is.
var (
	// ErrNotReport means that the bytes are no report of rampload.
	ErrNotReport = errors.New("not a rampload report")
	// ErrNewerSchema means that a newer rampload wrote the report.
	ErrNewerSchema = errors.New("unknown report schema")
	// ErrExists means that a file is there already; reports are never overwritten.
	ErrExists = errors.New("file exists")
)

// maxReport bounds what Read takes into memory: a report of ours is below
// 10 MB, so anything near this is not one.
const maxReport = 256 << 20

// Read reads a report of this or of any older schema. Its errors match
// [ErrNotReport] or [ErrNewerSchema] and say what to do.
func Read(r io.Reader) (*Report, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxReport+1))
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	if len(b) > maxReport {
		return nil, fmt.Errorf("read report: %w: larger than %d MB", ErrNotReport, maxReport>>20)
	}
	if err := bounded(b); err != nil {
		return nil, err
	}
	// The version alone comes first: a newer schema may have changed the type of
	// anything else.
	var version struct {
		Schema *json.Number `json:"schema"`
	}
	var syntax *json.SyntaxError
	switch err := json.Unmarshal(b, &version); {
	case errors.As(err, &syntax) && syntax.Offset >= int64(len(b)):
		return nil, fmt.Errorf("read report: %w: it is cut short; its run log makes it again: rampload report FILE.runlog", ErrNotReport)
	case err != nil:
		return nil, fmt.Errorf("read report: %w: %w; expected the JSON file that a run wrote", ErrNotReport, err)
	}
	if version.Schema == nil {
		return nil, fmt.Errorf("read report: %w: it has no \"schema\"; expected the JSON file that a run wrote", ErrNotReport)
	}
	n, err := version.Schema.Int64()
	switch {
	case err != nil || n < 1:
		return nil, fmt.Errorf("read report: %w: schema %q is no version; expected the JSON file that a run wrote",
			ErrNotReport, version.Schema.String())
	case n > Schema:
		return nil, fmt.Errorf("read report: %w %d: this rampload reads up to schema %d; read it with the release that wrote it, or a newer one",
			ErrNewerSchema, n, Schema)
	}
	rep := new(Report)
	if err := json.Unmarshal(b, rep); err != nil {
		return nil, fmt.Errorf("read report: %w: %w; the file is damaged or was edited", ErrNotReport, err)
	}
	if err := rep.check(); err != nil {
		return nil, fmt.Errorf("read report: %w: %w; the file is damaged or was edited", ErrNotReport, err)
	}
	return rep, nil
}

// bounded refuses, before anything is decoded, what is no JSON object, and JSON of
// so many values that decoding them would take more than about a gigabyte.
func bounded(b []byte) error {
	if text := bytes.TrimLeft(b, " \t\r\n"); len(text) == 0 || text[0] != '{' {
		return fmt.Errorf("read report: %w; expected the JSON file that a run wrote", ErrNotReport)
	}
	const object, value, most = 300, 48, 1 << 30 // bytes of memory
	if object*bytes.Count(b, []byte("{"))+value*bytes.Count(b, []byte(",")) > most {
		return fmt.Errorf("read report: %w: it has more values than a report can have", ErrNotReport)
	}
	return nil
}

// check holds the promises that readers rely on without looking again.
func (r *Report) check() error {
	n := -1
	for name, column := range r.Windows.Columns {
		if n >= 0 && len(column) != n {
			return fmt.Errorf("window column %q has %d rows, others %d", name, len(column), n)
		}
		n = len(column)
	}
	if len(r.Findings) == 0 {
		return errors.New("it has no finding")
	}
	return nil
}

// Write writes the report as indented JSON. A value that JSON cannot hold (NaN,
// infinity) is an error: it has to be null before it gets here.
func (r *Report) Write(w io.Writer) error {
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false) // gates are full of < and >
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	text, err := indent(plain.Bytes())
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// Create creates a file for a report, readable by its owner only because
// reports name hosts, paths and addresses. It never overwrites: an existing
// file (or a link, even a dangling one) is an error that matches [ErrExists]. A
// file that is empty holds nothing, so a new one takes its place.
func Create(path string) (*os.File, error) {
	if err := Vacant(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) && isEmpty(path) {
		if err = os.Remove(path); err == nil {
			f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		}
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil, taken(path)
	case err != nil:
		return nil, fmt.Errorf("create report: %w; choose another place with --out", err)
	}
	return f, nil
}

// Vacant returns nil where [Create] would create a file, as far as its name is
// concerned: it is free, or the file is empty. Otherwise the error matches
// [ErrExists].
func Vacant(path string) error {
	if _, err := os.Lstat(path); err == nil && !isEmpty(path) {
		return taken(path)
	}
	return nil
}

func isEmpty(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() == 0
}

func taken(path string) error {
	return fmt.Errorf("create report %s: %w; choose another name with --out, or remove it", path, ErrExists)
}
