package profiles

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func everyStage() Load {
	return Load{
		Ramp{From: 50, To: 2000.5, For: 2 * time.Minute},
		Ramp{From: 5, To: 20, For: time.Minute, Journeys: true},
		Hold{Rate: 2000, For: time.Minute},
		Staircase{From: 500, To: 1500, Step: 100, Every: 10 * time.Second},
		Burst{Size: 40, Every: time.Second, Jitter: 150 * time.Millisecond, For: 25 * time.Second},
		Max{For: 10 * time.Second},
		Connections{From: 100, To: 10000, For: 2 * time.Minute},
		Search{From: 100, To: 5000, Until: DefaultUntil(), HoldFor: 10 * time.Second, CoolDown: 5 * time.Second, Precision: 0.05},
		Idle{From: time.Second, To: 2 * time.Minute},
	}
}

func TestStagesInJSON(t *testing.T) {
	all := everyStage()
	data, err := json.Marshal(Profile{Load: all})
	if err != nil {
		t.Fatal(err)
	}
	var back Profile
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back.Load, all) {
		t.Errorf("%s is read as %+v", data, back.Load)
	}
	if got, _ := json.Marshal(all[2:3]); string(got) != `[{"hold":{"Rate":2000,"For":60000000000,"Journeys":false}}]` {
		t.Errorf("a hold is %s", got)
	}
	if _, err := json.Marshal(Load{nil}); err == nil || !strings.Contains(err.Error(), "no stage 1") {
		t.Errorf("no stage: %v", err)
	}
	for text, want := range map[string]string{
		`[{"hold":{"Rate":1}},{"wave":{}}]`: `stage 2: no kind of stage is called "wave"`,
		`[{}]`:                              "stage 1 has 0 kinds",
		`[null]`:                            "stage 1 has 0 kinds",
		`[{"hold":{},"ramp":{}}]`:           "stage 1 has 2 kinds",
		`[{"hold":{"Rate":"much"}}]`:        "stage 1: json:",
		`{"hold":{}}`:                       "decode load: json:",
	} {
		var l Load
		if err := json.Unmarshal([]byte(text), &l); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// What holds of stages of every kind.
func TestEveryStage(t *testing.T) {
	for _, s := range everyStage() {
		longer := s.Lasting(time.Hour)
		switch s.(type) {
		case Staircase, Search, Idle:
			if longer != s {
				t.Errorf("%s over an hour is %s", s, longer)
			}
		default:
			if longer.Duration() != time.Hour || longer.Lasting(s.Duration()) != s {
				t.Errorf("%s over an hour is %s", s, longer)
			}
		}
		before, _ := s.MaxRate(3)
		if after, _ := s.Scaled(0.5).MaxRate(3); after != before/2 || s.Scaled(1) != s {
			t.Errorf("half of %s is %s", s, s.Scaled(0.5))
		}
		if from, to := s.Ends(3); max(from, to) != before {
			t.Errorf("%s goes from %v/s to %v/s, its most is %v/s", s, from, to, before)
		}
		if s.Kind() == "" || s.String() == "" || s.Scaled(2).Kind() != s.Kind() {
			t.Errorf("%#v is called %q, %q", s, s.Kind(), s)
		}
	}
}
