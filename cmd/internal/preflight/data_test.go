package preflight

import (
	"testing"
	"time"

	"github.com/rampload/rampload/profiles"
)

func TestTooFewRows(t *testing.T) {
	plain := profiles.Request{Path: "/", Weight: 3}
	filled := profiles.Request{Path: "/${codes.code}", Filled: true, Weight: 1}
	hold := profiles.Hold{Rate: 100, For: 10 * time.Second}
	orders := func(share float64, requests ...profiles.Request) []profiles.Target {
		return []profiles.Target{{Name: "orders", Share: share, Requests: requests}, {Name: "carts", Share: 1 - share, Requests: []profiles.Request{plain}}}
	}
	for _, c := range []struct {
		name    string
		pick    profiles.Pick
		rows    int
		targets []profiles.Target
		load    []profiles.Stage
		want    string
	}{
		{"all", profiles.PickOnce, 250, orders(1, filled), []profiles.Stage{hold}, "data codes: the load needs about 1,000 rows, each once, and there are 250: it will end after about 2.5 s; add rows, or write pick: sequential"},
		{"enough", profiles.PickOnce, 1000, orders(1, filled), []profiles.Stage{hold}, ""},
		{"a share", profiles.PickOnce, 100, orders(0.5, filled, plain), []profiles.Stage{hold}, "data codes: the load needs about 125 rows, each once, and there are 100: it will end after about 8 s; add rows, or write pick: sequential"},
		{"a share, enough", profiles.PickOnce, 125, orders(0.5, filled, plain), []profiles.Stage{hold}, ""},
		{"again and again", profiles.PickSequential, 1, orders(1, filled), []profiles.Stage{hold}, ""},
		{"nobody takes one", profiles.PickOnce, 1, orders(1, plain), []profiles.Stage{hold}, ""},
		{"a search", profiles.PickOnce, 1, orders(1, filled), []profiles.Stage{profiles.Search{From: 1, To: 2}}, ""},
		{"no load", profiles.PickOnce, 1, orders(1, filled), []profiles.Stage{profiles.Idle{From: time.Second, To: time.Minute}}, ""},
	} {
		p := profiles.Profile{
			Load: c.load, Targets: c.targets,
			Data: []profiles.Table{{Name: "codes", Pick: c.pick, Columns: []string{"code"}, Rows: make([][]string, c.rows)}},
		}
		got := TooFewRows(p)
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || got[0] != c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	// A user of a journey keeps one row for all steps.
	step := profiles.Step{Name: "a", Request: filled}
	p := profiles.Profile{
		Load: []profiles.Stage{hold}, Journeys: []profiles.Journey{{Name: "buy", URL: "http://a.test", Share: 1, Steps: []profiles.Step{step, step}}},
		Data: []profiles.Table{{Name: "codes", Pick: profiles.PickOnce, Columns: []string{"code"}, Rows: make([][]string, 1000)}},
	}
	if got := TooFewRows(p.WithDefaults()); len(got) > 0 {
		t.Errorf("a journey: %q", got)
	}
}
