package assemble

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/runlog"
)

// What is analysed is the load that was sent: a stage that was held, and left, ends
// there, and one that nobody left ends with the run.
func TestStagesAreThoseThatWereSent(t *testing.T) {
	const s = time.Second
	log := &runlog.Log{
		Header: runlog.Header{
			Interval: 250 * time.Millisecond,
			Targets:  []runlog.Target{{Name: "a"}},
			Stages: []runlog.Stage{
				{Kind: "ramp", End: 10 * s, From: 0, To: 100},
				{Kind: "hold", Start: 10 * s, End: 20 * s, From: 100, To: 100},
			},
		},
		Windows: make([][]attack.Window, 1),
		Trailer: &runlog.Trailer{Ended: 12 * s},
		Hands: []runlog.Hand{
			{At: 4 * s, Action: "hold", By: "terminal", Stages: []runlog.Stage{{Kind: "hold", Start: 4 * s, End: 900 * s, From: 40, To: 40}}},
			{At: 6 * s, Action: "skip", By: "terminal", Stages: []runlog.Stage{{Kind: "hold", Start: 6 * s, End: 16 * s, From: 100, To: 100}}},
			{At: 8 * s, Action: "hold", By: "terminal", Stages: []runlog.Stage{{Kind: "hold", Start: 8 * s, End: 900 * s, From: 100, To: 100}}},
		},
	}
	want := []runlog.Stage{
		{Kind: "ramp", End: 4 * s, From: 0, To: 40},
		{Kind: "hold", Start: 4 * s, End: 6 * s, From: 40, To: 40},
		{Kind: "hold", Start: 6 * s, End: 8 * s, From: 100, To: 100},
		{Kind: "hold", Start: 8 * s, End: 12 * s, From: 100, To: 100},
	}
	if diff := cmp.Diff(want, withHands(log).Header.Stages); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
	r, err := Build(log, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.ByHand(), "held at 40/s at 4 s, skipped to 100/s at 6 s, held at 100/s at 8 s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if r.Profile.DurationS != 12 {
		t.Errorf("the load took %v s", r.Profile.DurationS)
	}
}
