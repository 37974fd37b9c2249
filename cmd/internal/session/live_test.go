package session

import (
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
)

// What a dead process used is not what is full now, and is not kept for ever.
func TestFullestForgetsWhatIsGone(t *testing.T) {
	l := newLive(Config{Interval: 250 * time.Millisecond, Targets: []string{"a"}, Samplers: make([]probe.Sampler, 2)}, func() {})
	use := func(m probe.Metric, value, limit float64) []probe.Sample {
		m.Host = "local"
		return []probe.Sample{{Reading: probe.Reading{Metric: m, Value: value, Limit: limit}}}
	}
	memory := use(probe.Metric{Name: probe.Memory}, 5, 10)
	for pid := int32(1); pid <= 50_000; pid++ { // a day of a prefork server
		l.samples(use(probe.Metric{Process: "php-fpm", PID: pid, Name: probe.OpenFiles}, 1000-float64(pid)/100, 1024))
		l.samples(memory)
	}
	if len(l.fullest) > 10*forgetAfter {
		t.Errorf("%d resources are kept", len(l.fullest))
	}
	var names []string
	for range 3 * forgetAfter { // the last process ends
		l.samples(nil)
		l.samples(memory)
	}
	for _, f := range l.fullestFirst() {
		names = append(names, f.Metric.Name)
	}
	if len(names) != 1 || names[0] != probe.Memory {
		t.Errorf("full: %v, want the memory alone", names)
	}
}
