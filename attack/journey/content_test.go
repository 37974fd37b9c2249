package journey

import (
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// Each check and extract that an answer fails is told by its own name, with what was
// wanted and what came.
func TestWhy(t *testing.T) {
	step := profiles.Step{
		Name: "pay",
		Check: profiles.Check{
			Body: "paid", Regexp: "n=[0-9]+",
			JSON:    []profiles.Header{{Name: "id", Value: "43"}, {Name: "a.b", Value: "1"}},
			Headers: []profiles.Header{{Name: "Server", Value: "shop"}, {Name: "Via", Value: "edge"}},
		},
		Extract: []profiles.Extract{{Name: "token", From: profiles.FromJSON, What: "nope.x"}, {Name: "c", From: profiles.FromCookie, What: "sid"}},
	}
	all := func(step *profiles.Step) {}
	for _, c := range []struct {
		leave func(*profiles.Step)
		body  string
		want  string // the name in reports, and why
		why   string
	}{
		{all, `{"id": "43"}`, `check body "paid"`, "the body has no such text"},
		{all, `{"id": "paid"}`, "check regexp n=[0-9]+", "the body does not match"},
		{all, `{"id": "42", "x": "paid n=1"}`, "check json id", `wanted "43", got "42"`},
		{all, `{"id": "43", "x": "paid n=1"}`, "check json a.b", `wanted "1", there is none`},
		{all, "paid n=1", "check json id", `wanted "43", the body is no JSON`},
		{all, `{"id": "43", "x": "paid n=1", "a": {"b": 1}}`, "check header Server", `wanted "shop", got "nginx"`},
		{func(s *profiles.Step) { s.Check.Headers = s.Check.Headers[1:] }, `{"id": "43", "x": "paid n=1", "a": {"b": 1}}`, "check header Via", `wanted "edge", the answer has no such header`},
		{func(s *profiles.Step) { s.Check = profiles.Check{} }, "{}", "extract token: json nope.x", "found nothing"},
		{func(s *profiles.Step) { s.Check = profiles.Check{} }, "", "extract token: json nope.x", "found nothing, the body is empty"},
		{func(s *profiles.Step) { s.Check, s.Extract = profiles.Check{}, s.Extract[1:] }, "{}", "extract c: cookie sid", "found nothing"},
		{func(s *profiles.Step) { s.Check = profiles.Check{JSON: []profiles.Header{{Name: "id", Value: "1"}}} }, `{"id": "` + strings.Repeat("ä", 200) + `"}`, "check json id", "..."},
	} {
		one := step
		c.leave(&one)
		s, err := Compile(profiles.Journey{Steps: []profiles.Step{one}})
		if err != nil {
			t.Fatal(err)
		}
		u := s.User(nil)
		a := answered(u, 0, 200, c.body, attack.AnswerHeader{Name: "server", Value: "nginx"})
		if got := a.Detail.Told(Content(one)); a.Fault != attack.Status || got != c.want {
			t.Errorf("%s: %v %q, want %q", c.body, a.Fault, got, c.want)
		}
		if why := a.Answer.Why; !strings.HasPrefix(why, c.want) || !strings.Contains(why, c.why) || len(why) > 300 {
			t.Errorf("%s: %q, want %q", c.body, why, c.why)
		}
	}
}
