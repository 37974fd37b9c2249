package report

import (
	"fmt"
	"strings"

	"github.com/rampload/rampload/report/format"
)

// Hand is what a person did to the load while it was sent: the run is not the one that
// its profile describes.
type Hand struct {
	AtS    float64 `json:"at_s"`             // from when it held
	Action string  `json:"action"`           // hold, resume, skip, scale, stop
	Factor float64 `json:"factor,omitempty"` // of a scale
	By     string  `json:"by"`               // where it was done: "terminal"
	// LoadRPS is the load that was offered from then on; null where it ended, and in a
	// closed loop.
	LoadRPS *float64 `json:"load_rps"`
}

// String says what was done, without its time: "held at 850/s".
func (h Hand) String() string {
	at := ""
	if h.LoadRPS != nil {
		at = format.Rate(*h.LoadRPS)
	}
	switch h.Action {
	case "hold":
		return "held at " + at
	case "resume":
		return "went on from " + at
	case "skip":
		if at == "" {
			return "skipped the rest"
		}
		return "skipped to " + at
	case "scale":
		return fmt.Sprintf("scaled by %s, to %s", format.Fine(h.Factor), at)
	case "stop":
		return "stopped"
	}
	return h.Action
}

// Stops reports whether the load ended there.
func (h Hand) Stops() bool { return h.Action == "stop" }

// ByHand says how the load was changed by hand, in order of time; empty where it was
// not.
func (r *Report) ByHand() string {
	var done []string
	for _, h := range r.Hands {
		done = append(done, h.String()+" at "+format.Seconds(h.AtS))
	}
	return strings.Join(done, ", ")
}
