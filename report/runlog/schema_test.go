package runlog

import (
	"bytes"
	"errors"
	"testing"
)

func TestNewerSchemaIsRefusedByName(t *testing.T) {
	log := appendFrame([]byte(magic), frameHeader, []byte(`{"schema":99}`))
	_, err := Read(bytes.NewReader(log))
	if !errors.Is(err, ErrNewerSchema) || !bytes.Contains([]byte(err.Error()), []byte("schema 99")) {
		t.Errorf("%v, want ErrNewerSchema naming schema 99", err)
	}
}

func TestLaterKindsAreSkipped(t *testing.T) {
	log := appendFrame([]byte(magic), frameHeader, []byte(`{"schema":1}`))
	log = appendFrame(log, 'z', []byte("from a later version"))
	log = appendFrame(log, frameTrailer, []byte(`{"ended_ns":5}`))
	got, err := Read(bytes.NewReader(log))
	if err != nil || got.Trailer == nil || got.Truncated {
		t.Errorf("log %+v, error %v", got, err)
	}
}
