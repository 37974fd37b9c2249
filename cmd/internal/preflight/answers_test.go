package preflight

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/profiles"
)

func TestAnswers(t *testing.T) {
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
		got := Answers(t.Context(), p)
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], c.want)) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A server that does not speak HTTP is named, as far as asking it shows.
func TestAnswersOfAnotherServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := bufio.NewReader(c).ReadString('\n'); err == nil {
					_, _ = io.WriteString(c, "-ERR unknown command\r\n")
				}
			}()
		}
	}()
	where := listener.Addr().String()
	p := profiles.Profile{Targets: []profiles.Target{{Name: "shop", URL: "http://" + where, Requests: []profiles.Request{{Method: "GET", Path: "/"}}}}}.WithDefaults()
	want := "target shop: " + where + " answers like Redis, not like an HTTP server; check scheme and port of its url"
	if got := Answers(t.Context(), p); !slices.Equal(got, []string{want}) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
