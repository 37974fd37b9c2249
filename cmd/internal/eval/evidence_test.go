package eval

import (
	"reflect"
	"testing"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// what is left of a log, by what an analysis could read from it.
type left struct {
	gauges, counters, own   int
	trace, capture, process int
	hosts                   int
	states                  map[string]probe.State
}

func read(log *runlog.Log) left {
	l := left{hosts: len(log.Header.Hosts), states: map[string]probe.State{}}
	for _, s := range log.Series {
		switch {
		case generatorOwn(s.Metric):
			l.own++
		case isCounter(s.Metric):
			l.counters++
		default:
			l.gauges++
		}
	}
	l.trace = count(log.Events, func(e probe.Event) bool { return e.Kind == probe.RSTSent })
	l.capture = count(log.Events, func(e probe.Event) bool { return e.Kind == probe.RSTPacket })
	l.process = count(log.Events, isProcessEvent)
	for _, s := range log.Trailer.Sources {
		l.states[s.Source.Name] = s.State
	}
	return l
}

func TestAblations(t *testing.T) {
	whole := read(sampleLog())
	states := func(changed map[string]probe.State) map[string]probe.State {
		out := map[string]probe.State{}
		for name, s := range whole.states {
			out[name] = s
		}
		for name, s := range changed {
			out[name] = s
		}
		return out
	}
	gone, partly := probe.NotMeasured, probe.Partial
	// Of these the run of a client alone has none, not even sources of that name.
	client := func(capture probe.State) map[string]probe.State {
		return map[string]probe.State{"generator": probe.Measured, "sockets": gone, "host": gone, "kernel counters": gone, "reset trace": gone, "reset capture": capture}
	}
	want := map[string]left{
		"all sources":                           whole,
		"without the kernel's reset trace":      {whole.gauges, whole.counters, 1, 0, whole.capture, 1, 2, states(map[string]probe.State{"reset trace": gone})},
		"without captured packets":              {whole.gauges, whole.counters, 1, whole.trace, 0, 1, 2, states(map[string]probe.State{"reset capture": gone})},
		"without trace and capture (no root)":   {whole.gauges, whole.counters, 1, 0, 0, 1, 2, states(map[string]probe.State{"reset trace": gone, "reset capture": gone})},
		"without gauges of processes and hosts": {0, whole.counters, 1, whole.trace, whole.capture, 1, 2, states(map[string]probe.State{"sockets": gone, "host": gone, "kernel counters": partly})},
		"without kernel counters":               {whole.gauges, 0, 1, whole.trace, whole.capture, 1, 2, states(map[string]probe.State{"kernel counters": gone})},
		"without process events":                {whole.gauges, whole.counters, 1, whole.trace, whole.capture, 0, 2, states(map[string]probe.State{"process port 8080": partly, "kernel counters": partly})},
		"the client and captured packets":       {0, 0, 1, 0, whole.capture, 0, 1, client(probe.Measured)},
		"the client alone":                      {0, 0, 1, 0, 0, 0, 1, client(gone)},
	}
	if whole.gauges != 5 || whole.counters != 2 || whole.own != 1 || whole.trace < 100 || whole.capture < 100 || whole.process != 1 {
		t.Fatalf("the sample log holds %+v", whole)
	}
	for _, a := range Ablations() {
		log := sampleLog()
		got := read(a.Keep(log))
		if !reflect.DeepEqual(got, want[a.Name]) {
			t.Errorf("%s:\n got %+v\nwant %+v", a.Name, got, want[a.Name])
		}
		if after := read(log); !reflect.DeepEqual(after, whole) {
			t.Errorf("%s changed the log: %+v", a.Name, after)
		}
		delete(want, a.Name)
	}
	if len(want) > 0 {
		t.Errorf("no such ablations: %v", want)
	}
}

func TestClientAloneKnowsNoHosts(t *testing.T) {
	log := sampleLog()
	got := clientWith()(log)
	if hosts := got.Header.Targets[0].Hosts; hosts != nil {
		t.Errorf("the target is served by %v", hosts)
	}
	if len(log.Header.Targets[0].Hosts) != 1 {
		t.Error("the log was changed")
	}
	log.Trailer = nil
	if got := clientWith()(log); got.Trailer != nil {
		t.Error("a log without an end got one")
	}
}
