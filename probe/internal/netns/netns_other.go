//go:build !linux

package netns

import (
	"fmt"
	"runtime"

	"github.com/rampload/rampload/probe"
)

// String names the namespace for people.
func (n Namespace) String() string {
	if n.Own() {
		return "own network namespace"
	}
	return fmt.Sprintf("network namespace %s%s", n.Name, n.Path)
}

// Inside calls f for rampload's own namespace; there are no others here, and the
// error matches [probe.ErrUnsupported].
func (n Namespace) Inside(f func(fd int) error) error {
	if n.Own() {
		return f(0)
	}
	return &probe.Unsupported{What: n.String(), Reason: "this system is " + runtime.GOOS, Needs: "Linux"}
}
