package wire

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

func TestSmoke(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(r.Header.Get("X-Transaction-Id") + r.Header.Get("Traceparent")))
	}))
	defer srv.Close()
	tr, err := New(Config{Profile: profiles.Target{URL: srv.URL}, Client: profiles.Client{Connections: 2, Timeout: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := tr.Compile(profiles.Request{Path: "/x"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		a := attack.Attempt{Request: uint64(i)}
		tr.Do(r, &a)
		t.Logf("%+v", a)
	}
	l := tr.Lease()
	for i := range 3 {
		a := attack.Attempt{Request: uint64(i)}
		l.Do(r, &a)
		t.Logf("%+v", a)
	}
	l.Close()
	t.Logf("%+v", tr.Stats())
	tr.Close()
	t.Logf("%+v", tr.Stats())
}
