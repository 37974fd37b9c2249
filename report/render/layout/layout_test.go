package layout

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWrap(t *testing.T) {
	tests := []struct {
		in    string
		width int
		want  []string
	}{
		{"", 10, []string{""}},
		{"a b c", 3, []string{"a b", "c"}},
		{"longerthanwidth b", 5, []string{"longerthanwidth", "b"}},
		{"one\ntwo three", 20, []string{"one", "two three"}},
		{"µs µs µs", 5, []string{"µs µs", "µs"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, wrap(tt.in, tt.width)); diff != "" {
			t.Errorf("wrap(%q, %d):\n%s", tt.in, tt.width, diff)
		}
	}
	if got := Shorten("payments-production-eu-west-1", 11); got != "payme…est-1" {
		t.Errorf("shorten = %q", got)
	}
}

func TestValues(t *testing.T) {
	p := func(v float64) *float64 { return &v }
	tests := []struct{ got, want string }{
		{Rate(p(1510.4)), "1,510/s"},
		{Rate(p(0.25)), "0.25/s"},
		{Rate(nil), "-"},
		{Millis(p(0.0804)), "80µs"},
		{Millis(p(0.81)), "810µs"},
		{Millis(p(4.13)), "4.1ms"},
		{Millis(p(84.4)), "84ms"},
		{Millis(p(5012)), "5.01s"},
		{Millis(nil), "-"},
		{InUnit(p(1024), "files"), "1,024"},
		{InUnit(p(0.61), "share"), "61%"},
		{InUnit(p(1<<30), "bytes"), "1 GiB"},
		{InUnit(p(1500), "bytes/s"), "1.46 KiB/s"},
		{InUnit(p(0.004), "seconds"), "4 ms"},
		{InUnit(nil, "files"), "-"},
		{Lag(p(0.2)), "+0.2 s"},
		{Lag(p(-22)), "-22 s"},
		{Interval(p(1490), p(1525)), "1,490-1,525"},
		{Interval(nil, p(1)), "-"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
