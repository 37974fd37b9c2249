// Package protocol is what is said between the machines of a run. Workers and agents are told
// what to send and what to watch, never what to execute, and no name of a file in it is
// opened.
package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/runlog"
)

// Version is of what is said to an agent. Its answer is a run log, which has
// versions of its own.
const Version = 3

// Request is the first line that an agent is told: what it is to watch. There is
// nothing in it that an agent would execute.
type Request struct {
	Agent     string             `json:"-"` // that is asked, by its name on the bus
	Version   int                `json:"version"`
	RunID     string             `json:"run_id"`
	Name      string             `json:"name"` // of the host, in the profile
	Processes []profiles.Process `json:"processes,omitempty"`
	Logs      []profiles.Log     `json:"logs,omitempty"`
	NoLogs    bool               `json:"no_logs,omitempty"`
	Ports     []uint16           `json:"ports,omitempty"` // of the targets: resets on others are not looked at
	Chained   bool               `json:"chained,omitempty"`
	Trace     bool               `json:"trace"`
	Every     time.Duration      `json:"every_ns"`
}

// Line is what an agent is told after its request.
type Line struct {
	// Asked is a time of the run's clock, to be sent back with the agent's own.
	Asked *time.Duration `json:"asked_ns,omitempty"`
	// End asks for the end of the record. The end of the input is the end without one.
	End bool `json:"end,omitempty"`
}

// Check refuses what no agent would watch.
func (r Request) Check() error {
	switch {
	case r.Version != Version:
		return fmt.Errorf("this agent speaks version %d of the protocol and was asked in version %d: use the same rampload at both ends", Version, r.Version)
	case r.Name == "" || r.Name == profiles.LocalHost || r.Name == runlog.Coordinator:
		return fmt.Errorf("%q cannot be the name of an agent's host", r.Name)
	case r.Every < 50*time.Millisecond || r.Every > time.Minute:
		return fmt.Errorf("every %s is out of range", r.Every)
	}
	return nil
}

// DecodeLine decodes a line of what an agent is told.
func DecodeLine[T any](text []byte) (T, error) {
	var v T
	if err := json.Unmarshal(text, &v); err != nil {
		return v, fmt.Errorf("decode what the agent was told: %w", errors.Join(ErrProtocol, err))
	}
	return v, nil
}

// ErrProtocol says that the other end is no rampload, or another one.
var ErrProtocol = errors.New("not the protocol of an agent")
