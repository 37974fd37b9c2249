package run

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/probe"
)

type noRecorder struct{}

func (noRecorder) Address(attack.Address) {}
func (noRecorder) Failure(attack.Failure) {}
func (noRecorder) Window(attack.Window)   {}
func (noRecorder) Samples([]probe.Sample) {}
func (noRecorder) Event(probe.Event)      {}

// The log of a long run keeps the loads of its last minutes only, and says of each
// failure the load that it was due at.
func TestFailureLogForgets(t *testing.T) {
	var out bytes.Buffer
	l := newFailureLog(noRecorder{}, &out, []string{"a"}, nil, attack.RunID{}, time.Time{})
	for i := range int32(4 * time.Hour / input.WindowInterval) {
		l.Window(attack.Window{Index: i, Scheduled: 100 + uint64(i%7)})
	}
	if kept := time.Duration(l.series.Len()) * input.WindowInterval; kept > 2*failuresLag {
		t.Errorf("the loads of %v are kept", kept)
	}
	index := int32((4*time.Hour - time.Minute) / input.WindowInterval)
	l.Failure(attack.Failure{Attempt: attack.Attempt{Due: time.Duration(index) * input.WindowInterval, End: 4 * time.Hour, Fault: attack.Timeout}})
	var line struct {
		Offered float64 `json:"offered_rps"`
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if want := float64(100+index%7) / input.WindowInterval.Seconds(); line.Offered != want {
		t.Errorf("an offered load of %v/s, want %v/s", line.Offered, want)
	}
}
