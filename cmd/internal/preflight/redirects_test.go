package preflight

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rampload/rampload/profiles"
)

func TestRedirects(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/old", http.RedirectHandler("https://shop.test/new?token=hunter2", http.StatusMovedPermanently))
	mux.Handle("/older", http.RedirectHandler("/old", http.StatusFound))
	mux.HandleFunc("/new", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/changed", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was sent, which changes something", r.Method)
		http.Redirect(w, r, "/old", http.StatusSeeOther)
	})
	mux.HandleFunc("/same", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	server := httptest.NewServer(mux)
	defer server.Close()
	for name, c := range map[string]struct {
		requests []string
		expect   profiles.StatusSet
		want     string
	}{
		"one": {
			requests: []string{"/old"},
			want:     "target shop: GET " + server.URL + "/old is answered with 301, to https://shop.test/new?token=REDACTED: redirects are not followed",
		},
		"all": {
			requests: []string{"/older", "/old"},
			want:     "target shop: the first 2 requests are answered with redirects: GET " + server.URL + "/older is answered with 302, to /old: redirects are not followed",
		},
		"not all":      {requests: []string{"/old", "/new"}},
		"none":         {requests: []string{"/new"}},
		"not modified": {requests: []string{"/same"}},
		"expected":     {requests: []string{"/old"}, expect: profiles.StatusSet{{Low: 301, High: 301}}},
		"unsafe":       {requests: []string{"POST /changed"}},
	} {
		target := profiles.Target{Name: "shop", URL: server.URL, Expect: c.expect}
		for _, text := range c.requests {
			method, path, cut := strings.Cut(text, " ")
			if !cut {
				method, path = "GET", text
			}
			target.Requests = append(target.Requests, profiles.Request{Method: method, Path: path})
		}
		p := profiles.Profile{Targets: []profiles.Target{target}, Load: []profiles.Stage{profiles.Hold{Rate: 1, For: 1}}}.WithDefaults()
		got := Redirects(t.Context(), p)
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], c.want)) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
