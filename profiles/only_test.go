package profiles

import (
	"strings"
	"testing"
	"time"
)

func TestOnly(t *testing.T) {
	gate := func(of string) Gate {
		return Gate{Text: "failures(" + of + ") < 1%", Metric: GateFailures, Of: of, Op: Less, Value: 0.01, Unit: UnitRatio}
	}
	whole := Profile{
		Name: "shop",
		Targets: []Target{
			{Name: "orders", URL: "http://127.0.0.1:1", Share: 0.6, Hosts: []string{"o"}},
			{Name: "carts", URL: "http://127.0.0.1:2", Share: 0.3, Hosts: []string{"c", "db"}},
			{Name: "users", URL: "http://127.0.0.1:3", Share: 0.1, Hosts: []string{"db"}},
		},
		Load:  Load{Ramp{From: 100, To: 1000, For: time.Minute}},
		Hosts: []Host{{Name: "o"}, {Name: "c"}, {Name: "db"}, {Name: LocalHost}},
		Gate:  []Gate{gate("carts"), gate("users"), gate("")},
	}.WithDefaults()
	got, dropped, err := whole.Only([]string{"orders", "users"})
	if err != nil {
		t.Fatal(err)
	}
	load := got.Load[0].(Ramp)
	if len(got.Targets) != 2 || load.To != 700 || load.From != 70 {
		t.Errorf("%d targets at %v/s to %v/s, want 2 at 70 to 700", len(got.Targets), load.From, load.To)
	}
	if s := got.Targets[0].Share * load.To; s < 599.9 || s > 600.1 {
		t.Errorf("orders gets %v/s at the end, want its 600", s)
	}
	var hosts []string
	for _, h := range got.Hosts {
		hosts = append(hosts, h.Name)
	}
	if strings.Join(hosts, " ") != "o db local" {
		t.Errorf("hosts %v, want o, db and local", hosts)
	}
	if len(got.Gate) != 2 || len(dropped) != 1 || dropped[0] != "failures(carts) < 1%" {
		t.Errorf("gates %v, dropped %v", got.Gate, dropped)
	}
	if len(whole.Targets) != 3 || len(whole.Gate) != 3 {
		t.Error("the whole was changed")
	}
	if _, _, err := whole.Only([]string{"order"}); err == nil || !strings.Contains(err.Error(), `did you mean "orders"`) {
		t.Errorf("%v, want the nearest name", err)
	}
}
