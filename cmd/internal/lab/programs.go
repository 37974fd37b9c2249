package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Programs are the processes of a bench: services of the lab, and real servers. They end
// with the run.
type Programs struct {
	*ground
	children []*Child
}

// end ends the services in reverse order, and adds what they counted to a tally.
func (programs *Programs) end(to *Tally) error {
	var errs []error
	for _, c := range slices.Backward(programs.children) {
		truth, err := c.Stop()
		to.Add(truth)
		if err != nil {
			err = fmt.Errorf("%w %s", err, programs.complaint(c))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Child starts a service in a namespace ("" is this one).
func (programs *Programs) Child(netns, name string, args ...string) (*Child, error) {
	return programs.Start(&Child{Netns: netns, Name: name, Args: args})
}

func (programs *Programs) Start(c *Child) (*Child, error) {
	c.Exe, c.Prefix = programs.Env.Exe, programs.Env.Prefix
	errs, err := os.OpenFile(filepath.Join(programs.Env.Dir, c.Name+".err"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	programs.Undo(errs.Close)
	c.Stderr = errs
	if err := c.Start(programs.Ctx); err != nil {
		return nil, fmt.Errorf("%w %s", err, programs.complaint(c))
	}
	programs.children = append(programs.children, c)
	return c, nil
}

// complaint returns what a child wrote to its standard error, the end of it.
func (programs *Programs) complaint(c *Child) string {
	text, _ := os.ReadFile(filepath.Join(programs.Env.Dir, c.Name+".err"))
	return strings.TrimSpace(string(text[max(0, len(text)-500):]))
}

// Supervised starts a service below a supervisor.
func (programs *Programs) Supervised(netns string, flags []string, name string, args ...string) (*Child, error) {
	prefix := "lab-service"
	if len(programs.Env.Prefix) > 0 {
		prefix = programs.Env.Prefix[0]
	}
	all := append([]string{"-prefix=" + prefix}, flags...)
	return programs.Child(netns, "supervise", append(append(all, name), args...)...)
}
