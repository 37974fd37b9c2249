package yaml

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampload/rampload/profiles"
)

// TestDecodeForms holds forms to what a browser would send.
func TestDecodeForms(t *testing.T) {
	data, err := os.ReadFile("testdata/valid-forms.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Decode("forms.yaml", data, options())
	if err != nil {
		t.Fatal(err)
	}
	coded := []profiles.Header{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}}
	want := []profiles.Request{
		{Method: "POST", Path: "/login", Headers: coded, Body: "user=anna+%26+bea&lang=de&lang=en&price=5%24", Weight: 1},
		{Method: "PUT", Path: "/login", Headers: []profiles.Header{{Name: "content-type", Value: "text/plain"}}, Body: "user=anna", Weight: 1},
		{Method: "POST", Path: "/empty", Headers: coded, Weight: 1},
		{Method: "POST", Path: "/photos", Weight: 1, Parts: []profiles.Part{
			{Name: "title", Value: `Cat "Tom"`}, {Name: "photo", File: "cat.png", Type: "image/png"},
		}},
	}
	if diff := cmp.Diff(want, p.Targets[0].Requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if p.Client.Retries.RetryAfter != 30*time.Second {
		t.Errorf("waits for a Retry-After of up to %s, want 30s", p.Client.Retries.RetryAfter)
	}
}
