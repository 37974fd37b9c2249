package console

import (
	"bytes"
	"errors"
	"io"

	"github.com/rampload/rampload/cmd/internal/keep"
	"github.com/rampload/rampload/report"
)

// WriteOut writes to a new file, or to standard output when path is empty. The
// file is created when all of it is there. A reader of standard output that went
// away has seen what it wanted: that is no error.
func WriteOut(env Env, path string, write func(io.Writer, Terminal) error) error {
	var all bytes.Buffer
	if path != "" {
		if err := report.Vacant(path); err != nil {
			return Usage(err)
		}
		if err := write(&all, Terminal{Width: DefaultWidth}); err != nil {
			return err
		}
		if err := keep.Create(path, func(w io.Writer) error { _, err := w.Write(all.Bytes()); return err }); err != nil {
			return NotRun(keep.CannotWrite(path, err))
		}
		return nil
	}
	if err := write(&all, NewTerminal(env)); err != nil {
		return err
	}
	return Printed(env.Stdout.Write(all.Bytes()))
}

// Printed judges a write to standard output.
func Printed(_ int, err error) error {
	if err == nil || errors.Is(err, readerGone) {
		return nil
	}
	return NotRun(keep.CannotWrite("standard output", err))
}
