// Package mark lets other processes of the same user put a word into a run that goes on: a
// release was begun, a configuration was changed. A run listens on a socket in a folder of
// its user's; who marks finds it there. It knows nothing of runs.
package mark

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxText is the longest text of a mark, in bytes.
const MaxText = 200

const (
	suffix   = ".sock"
	maxLine  = 4096
	answerIn = 3 * time.Second
)

// Folder is where the sockets of a user's runs are: below XDG_RUNTIME_DIR, else below the
// folder for temporary files.
func Folder(getenv func(string) (string, bool)) string {
	if dir, set := getenv("XDG_RUNTIME_DIR"); set && dir != "" {
		return filepath.Join(dir, "rampload")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("rampload-%d", os.Getuid()))
}

// Run is a run that takes marks.
type Run struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Placed is a mark as a run took it.
type Placed struct {
	Run
	AtS float64 `json:"at_s"` // since the run's load began
}

// asked and answered are the two lines of a conversation.
type asked struct {
	Text string `json:"text"`           // empty: which run is it
	Only string `json:"only,omitempty"` // the name or id of the run that is meant; empty: any
}

type answered struct {
	Placed
	Error string `json:"error,omitempty"`
	Other bool   `json:"other,omitempty"` // another run is meant
}

// Listen takes marks for a run until ctx is done. take is called for each mark, from one
// goroutine at a time, and returns at what time of the run it was. The folder is made
// where it is not there, for its user alone.
func Listen(ctx context.Context, folder string, run Run, take func(text string) time.Duration) error {
	if err := ownFolder(folder); err != nil {
		return err
	}
	path := filepath.Join(folder, run.ID+suffix)
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("listen for marks: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return fmt.Errorf("listen for marks: %w", err)
	}
	go func() {
		<-ctx.Done()
		_ = l.Close() // removes the socket
	}()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c, run, take)
		}
	}()
	return nil
}

// ownFolder makes a folder that no other user can put sockets into.
func ownFolder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make the folder for marks: %w", err)
	}
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return fmt.Errorf("look at the folder for marks: %w", err)
	case !info.IsDir() || info.Mode().Perm()&0o022 != 0 || !owned(info):
		return fmt.Errorf("%s is not a folder of this user alone: remove it, or set XDG_RUNTIME_DIR", path)
	}
	return nil
}

// serve answers one caller; one that says nothing is not waited for.
func serve(c net.Conn, run Run, take func(string) time.Duration) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(answerIn))
	var in asked
	line, err := bufio.NewReaderSize(c, maxLine).ReadSlice('\n')
	if err == nil {
		err = json.Unmarshal(line, &in)
	}
	out := answered{Placed: Placed{Run: run}}
	switch text, bad := Clean(in.Text); {
	case err != nil:
		out.Error = "what was sent is no mark"
	case in.Only != "" && in.Only != run.Name && !strings.HasPrefix(run.ID, in.Only):
		out.Other = true
	case bad != nil:
		out.Error = bad.Error()
	default:
		out.AtS = take(text).Seconds()
	}
	_ = json.NewEncoder(c).Encode(out) // a caller that is gone has its mark placed all the same
}

// Clean returns a text as a mark keeps it: one line without control characters. The error
// says what to write instead.
func Clean(text string) (string, error) {
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == ' ' }), " ")
	switch {
	case text == "":
		return "", errors.New("a mark needs a text: rampload mark \"deploy v1.4.2\"")
	case len(text) > MaxText:
		for len(text) > MaxText || !utf8.ValidString(text) {
			text = text[:len(text)-1]
		}
	}
	return text, nil
}

// ErrNone says that no run takes marks.
var ErrNone = errors.New("no run goes on")

// Place puts a mark into the runs of this user that go on; only names one by its name, or
// by the beginning of its id, and is empty for all. The error matches [ErrNone] if there is
// none; runs that did not answer are named in another.
func Place(ctx context.Context, folder, text, only string) ([]Placed, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*"+suffix))
	if err != nil {
		return nil, fmt.Errorf("look for runs: %w", err)
	}
	slices.Sort(paths)
	var out []Placed
	var others []string
	var errs []error
	for _, path := range paths {
		a, err := tell(ctx, path, asked{text, only})
		switch {
		case errors.Is(err, fs.ErrNotExist), refused(err):
			_ = os.Remove(path) // of a run that was killed
		case err != nil:
			errs = append(errs, err)
		case a.Other:
			others = append(others, a.Name)
		case a.Error != "":
			errs = append(errs, errors.New(a.Error))
		default:
			out = append(out, a.Placed)
		}
	}
	switch {
	case len(out) > 0 || len(errs) > 0:
		return out, errors.Join(errs...)
	case len(others) > 0:
		return nil, fmt.Errorf("%w by the name %q: there is %s", ErrNone, only, strings.Join(others, ", "))
	}
	return nil, ErrNone
}

func tell(ctx context.Context, path string, in asked) (answered, error) {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		return answered{}, fmt.Errorf("reach the run of %s: %w", path, err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(answerIn))
	if err := json.NewEncoder(c).Encode(in); err != nil {
		return answered{}, fmt.Errorf("tell the run of %s: %w", path, err)
	}
	var out answered
	if err := json.NewDecoder(c).Decode(&out); err != nil {
		return answered{}, fmt.Errorf("the run of %s did not answer: %w", path, err)
	}
	return out, nil
}
