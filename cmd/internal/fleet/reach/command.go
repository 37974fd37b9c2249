// Package reach connects to the agents of other hosts over the user's own ssh, or any
// command of the user's that starts one.
package reach

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Process is a connection to the agent that a command of the user's started: ssh,
// kubectl exec, nsenter. It ends with the command, and the command with it.
type Process struct {
	io.Reader
	in   io.WriteCloser
	cmd  *exec.Cmd
	said lastWords
	done chan struct{}
	err  error
}

// Start starts a command whose input and output are those of rampload agent --stdio.
func Start(ctx context.Context, argv []string) (*Process, error) {
	// The end is asked for on the pipe: an interrupt must not cut the record short.
	p := &Process{cmd: exec.CommandContext(context.WithoutCancel(ctx), argv[0], argv[1:]...), done: make(chan struct{})}
	p.cmd.Stderr = &p.said
	p.cmd.WaitDelay = time.Second
	ownGroup(p.cmd)
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	// Not StdoutPipe: its reader must be done before Wait.
	reader, writer := io.Pipe()
	p.Reader, p.cmd.Stdout = reader, writer
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	go func() {
		p.err = p.explain(p.cmd.Wait())
		writer.CloseWithError(io.EOF)
		close(p.done)
	}()
	return p, nil
}

// Write writes to the command's input.
func (p *Process) Write(b []byte) (int, error) { return p.in.Write(b) }

// CloseWrite closes the command's input.
func (p *Process) CloseWrite() error { return p.in.Close() }

// Kill ends the command.
func (p *Process) Kill() {
	_ = p.in.Close()
	_ = p.cmd.Process.Kill()
	_, _ = io.Copy(io.Discard, p.Reader)
}

// Wait waits for the command's end.
func (p *Process) Wait() error {
	go func() { _, _ = io.Copy(io.Discard, p.Reader) }()
	<-p.done
	return p.err
}

// notFound is the exit code of a shell and of ssh for a command that is not there.
const notFound = 127

// explain puts the end of the command into words.
func (p *Process) explain(err error) error {
	var exit *exec.ExitError
	if err == nil || !errors.As(err, &exit) {
		return err
	}
	said := strings.TrimPrefix(p.said.String(), "rampload: ")
	name := p.cmd.Args[0]
	switch {
	case exit.ExitCode() == notFound && name == "ssh":
		return errors.New("rampload is not in the PATH there: install it, or write agent: {ssh: ssh, install: copy}")
	case said != "":
		return fmt.Errorf("%s: %s", name, strings.TrimPrefix(said, name+": "))
	}
	return fmt.Errorf("%s: %w", name, err)
}

// lastWords keeps the end of what a program said, for its error. It may be used by
// several goroutines.
type lastWords struct {
	mu   sync.Mutex
	text []byte
}

func (w *lastWords) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	w.text = w.text[max(0, len(w.text)-4096):]
	return len(p), nil
}

// String returns the last line that says something.
func (w *lastWords) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	lines := strings.Split(string(bytes.TrimSpace(w.text)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
