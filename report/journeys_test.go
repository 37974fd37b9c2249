package report

import (
	"reflect"
	"testing"
)

func TestJourneys(t *testing.T) {
	target := func(name string, requests, ok uint64) Target {
		return Target{Name: name, Totals: Totals{Requests: requests, OK: ok}}
	}
	got := Journeys([]Target{
		target("api", 9, 9), target("checkout/login", 40, 40), target("checkout/list", 38, 30), target("checkout/pay", 30, 20), target("browse/home", 7, 7),
	})
	want := []Journey{
		{Name: "checkout", Began: 40, Completed: 20, Ended: []JourneyEnd{{"login", 2}, {"list", 8}, {"pay", 10}}},
		{Name: "browse", Began: 7, Completed: 7},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	for _, j := range got {
		n := j.Completed
		for _, e := range j.Ended {
			n += e.Count
		}
		if n != j.Began {
			t.Errorf("%s: %d began, and %d are accounted for", j.Name, j.Began, n)
		}
	}
}
