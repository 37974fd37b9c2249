package runlog

import (
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
)

// repeated is a compressed run log whose frame comes n times.
func repeated(t *testing.T, frame []byte, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	metric := probe.AppendMetric(nil, probe.Metric{Host: "local", Name: probe.OpenFiles})
	head := appendFrame([]byte(magic), frameHeader, []byte(`{"schema":1,"targets":[{"name":"orders"}]}`))
	for _, b := range [][]byte{appendFrame(head, frameMetric, metric), bytes.Repeat(frame, n)} {
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWhatUnfoldsWithoutBoundIsRefused(t *testing.T) {
	sample := appendFrame(nil, frameSamples, probe.AppendSamples(nil, time.Second, []probe.IDSample{{Value: 1, Limit: 2}}))
	for name, frame := range map[string][]byte{ // by the name of its kind
		"samples":   sample,
		"metrics":   appendFrame(nil, frameMetric, probe.AppendMetric(nil, probe.Metric{Name: "n"})),
		"windows":   appendFrame(nil, frameWindow, attack.AppendWindow(nil, attack.Window{})),
		"failures":  appendFrame(nil, frameFailure, attack.AppendFailure(nil, attack.Failure{})),
		"events":    appendFrame(nil, frameEvent, probe.AppendEvent(nil, probe.Event{})),
		"addresses": appendFrame(nil, frameAddress, attack.AppendAddress(nil, attack.Address{})),
		"parts":     appendFrame(nil, framePart, append([]byte{1}, sample[:len(sample)-4]...)),
		"trailer":   appendFrame(nil, frameTrailer, []byte(`{"sources":[`+strings.Repeat("{},", 1<<16)+`{}]}`)),
	} {
		n := 2*roomFixed/int(perRecord+unfolds[frameKind(frame[0])]*int64(len(frame))) + 1
		log := repeated(t, frame, n)
		if len(log) > 2<<20 {
			t.Fatalf("%s: %d bytes are no bomb", name, len(log))
		}
		if _, err := Read(bytes.NewReader(log)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %d bytes that unfold to %d: %v, want ErrTooLarge", name, len(log), n*len(frame), err)
		}
	}
	if log, err := Read(bytes.NewReader(repeated(t, sample, 10_000))); err != nil || len(log.Series[0].At) != 10_000 {
		t.Errorf("a run that hardly changes: %v", err)
	}
}
