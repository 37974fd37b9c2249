package probe_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rampload/rampload/probe"
)

// queue is a sampler of something of one's own: a queue with a limit.
type queue struct {
	clock probe.Clock
	depth func() (depth, limit float64, err error)
}

func (q queue) Source() probe.Source { return probe.Source{Host: "orders-1", Name: "job queue"} }

func (q queue) Sample(_ context.Context, emit func(probe.Sample)) error {
	depth, limit, err := q.depth()
	if err != nil {
		return fmt.Errorf("read job queue: %w", err)
	}
	read := q.clock.Stamp(emit) // a sample has the time at which it was read
	read(probe.Reading{Metric: probe.Metric{Host: "orders-1", Name: probe.Pool, Instance: "jobs"}, Value: depth, Limit: limit})
	return nil
}

func (q queue) Close() error { return nil }

// Anything with a limit can be watched: it is a [probe.Sampler].
func ExampleSampler() {
	full := errors.New("no connection")
	depth, limit := 90.0, 100.0
	var s probe.Sampler = queue{probe.NewClock(time.Now()), func() (float64, float64, error) {
		if depth > limit {
			return 0, 0, full
		}
		return depth, limit, nil
	}}
	for _, depth = range []float64{90, 100, 101} {
		err := s.Sample(context.Background(), func(x probe.Sample) {
			fmt.Printf("%s %s: %.0f of %.0f\n", x.Metric.Name, x.Metric.Instance, x.Value, x.Limit)
		})
		if err != nil {
			fmt.Println(err, errors.Is(err, full))
		}
	}
	// Output:
	// pool jobs: 90 of 100
	// pool jobs: 100 of 100
	// read job queue: no connection true
}
