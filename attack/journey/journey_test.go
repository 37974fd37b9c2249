package journey

import (
	"reflect"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// answered ends a step with an answer.
func answered(u *User, step, status int, body string, headers ...attack.AnswerHeader) attack.Attempt {
	var a attack.Attempt
	u.Begin(step, &a)
	a.Reply.Begin("HTTP/1.1")
	for _, h := range headers {
		a.Reply.Header(h.Name, h.Value)
	}
	a.Reply.Data([]byte(body))
	a.Status = uint16(status)
	u.End(step, &a)
	return a
}

func TestExtract(t *testing.T) {
	cookie := attack.AnswerHeader{Name: "set-cookie", Value: "sid=c1; Path=/; HttpOnly"}
	for _, c := range []struct {
		from profiles.ExtractFrom
		what string
		body string
		want string
		ok   bool
	}{
		{profiles.FromJSON, "items.1.id", `{"items": [{"id": 1}, {"id": "b"}]}`, "b", true},
		{profiles.FromJSON, "$.items[0].id", `{"items": [{"id": 10000000000000001}]}`, "10000000000000001", true},
		{profiles.FromJSON, "$['a']", `{"a": null}`, "", true},
		{profiles.FromJSON, "a.b", `{"a": 1}`, "", false},
		{profiles.FromJSON, "a", `{"a": 1`, "", false},
		{profiles.FromJSON, "$", `[1]`, "[1]", true},
		{profiles.FromHeader, "LOCATION", "", "/orders/7", true},
		{profiles.FromHeader, "X-Absent", "", "", false},
		{profiles.FromCookie, "sid", "", "c1", true},
		{profiles.FromCookie, "other", "", "", false},
		{profiles.FromRegexp, `id=(\d+)`, "id=42&", "42", true},
		{profiles.FromRegexp, `\d+`, "id=42&", "42", true},
		{profiles.FromRegexp, `\d+`, "none", "", false},
	} {
		s, err := Compile(profiles.Journey{Steps: []profiles.Step{
			{Name: "a", Extract: []profiles.Extract{{Name: "v", From: c.from, What: c.what}}}, {Name: "b"},
		}})
		if err != nil {
			t.Fatal(err)
		}
		u := s.User(nil)
		a := answered(u, 0, 200, c.body, attack.AnswerHeader{Name: "Location", Value: "/orders/7"}, cookie)
		if ok := a.Fault == attack.None; ok != c.ok || a.Reply != nil {
			t.Errorf("%s %s of %s: %v", c.from, c.what, c.body, a.Fault)
		}
		u.Begin(1, &a)
		if got := a.Fill.Vars[0]; got != c.want {
			t.Errorf("%s %s of %s: %q, want %q", c.from, c.what, c.body, got, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		check  profiles.Check
		status int
		body   string
		want   attack.Fault
		detail bool
	}{
		"nothing asked":   {profiles.Check{}, 200, "x", attack.None, false},
		"journey's":       {profiles.Check{}, 404, "x", attack.Status, false},
		"own status":      {profiles.Check{Status: profiles.StatusSet{{Low: 404, High: 404}}}, 404, "x", attack.None, false},
		"not own":         {profiles.Check{Status: profiles.StatusSet{{Low: 404, High: 404}}}, 200, "x", attack.Status, false},
		"text":            {profiles.Check{Body: "paid"}, 200, "is paid.", attack.None, false},
		"no text":         {profiles.Check{Body: "paid"}, 200, "is due.", attack.Status, true},
		"expression":      {profiles.Check{Regexp: "p.id"}, 200, "is paid.", attack.None, false},
		"no match":        {profiles.Check{Regexp: "^paid"}, 200, "is paid.", attack.Status, true},
		"value":           {profiles.Check{JSON: []profiles.Header{{Name: "a.0", Value: "1"}}}, 200, `{"a": [1]}`, attack.None, false},
		"other value":     {profiles.Check{JSON: []profiles.Header{{Name: "a.0", Value: "2"}}}, 200, `{"a": [1]}`, attack.Status, true},
		"no JSON":         {profiles.Check{JSON: []profiles.Header{{Name: "a", Value: ""}}}, 200, `oops`, attack.Status, true},
		"header":          {profiles.Check{Headers: []profiles.Header{{Name: "SERVER", Value: "shop"}}}, 200, "", attack.None, false},
		"other header":    {profiles.Check{Headers: []profiles.Header{{Name: "server", Value: "nginx"}}}, 200, "", attack.Status, true},
		"missing header":  {profiles.Check{Headers: []profiles.Header{{Name: "via", Value: ""}}}, 200, "", attack.Status, true},
		"header is there": {profiles.Check{Headers: []profiles.Header{{Name: "server", Value: ""}}}, 200, "", attack.None, false},
	} {
		s, err := Compile(profiles.Journey{Expect: profiles.DefaultExpect(), Steps: []profiles.Step{{Name: "a", Check: c.check}}})
		if err != nil {
			t.Fatal(err)
		}
		a := answered(s.User(nil), 0, c.status, c.body, attack.AnswerHeader{Name: "Server", Value: "shop/1"})
		if a.Fault != c.want || a.Detail.IsZero() == c.detail {
			t.Errorf("%s: %v, detail %v", name, a.Fault, a.Detail)
		}
		if failed := a.Fault != attack.None; failed != (a.Answer != nil) || failed && (a.Answer.Body != c.body || a.Answer.Header("server") != "shop/1") {
			t.Errorf("%s: answer %+v", name, a.Answer)
		}
	}
}

// The status of a call is that of gRPC, and not that of HTTP, which is always 200.
func TestCalls(t *testing.T) {
	missing := attack.GRPCCode(5)
	for name, c := range map[string]struct {
		expect       []int
		fault        attack.Fault
		told, detail attack.Detail
		want         attack.Fault
	}{
		"ok":               {expect: []int{0}},
		"not ok":           {expect: []int{0}, fault: attack.Status, told: missing, detail: missing, want: attack.Status},
		"expected":         {expect: []int{0, 5}, fault: attack.Status, told: missing},
		"ok, not expected": {expect: []int{5}, detail: attack.GRPCCode(0), want: attack.Status},
		"no status":        {expect: []int{5}, fault: attack.Status, want: attack.Status},
		"reset":            {expect: []int{5}, fault: attack.Reset, want: attack.Reset},
	} {
		var expect profiles.StatusSet
		for _, code := range c.expect {
			expect = append(expect, profiles.StatusRange{Low: code, High: code})
		}
		s, err := Compile(profiles.Journey{URL: "grpc://shop", Expect: expect, Steps: []profiles.Step{{Name: "get", Extract: []profiles.Extract{{Name: "id", From: profiles.FromJSON, What: "$"}}}}})
		if err != nil {
			t.Fatal(err)
		}
		a := attack.Attempt{Status: 200, Fault: c.fault, Detail: c.told}
		u := s.User(nil)
		u.Begin(0, &a)
		a.Reply.Begin("HTTP/2")
		a.Reply.Data([]byte(`{"id":"1"}`))
		if u.End(0, &a); a.Fault != c.want || a.Detail != c.detail {
			t.Errorf("%s: %v %q, want %v %q", name, a.Fault, a.Detail, c.want, c.detail)
		}
	}
}

// Each user has cookies of its own, and drops those that the service takes back. What
// failed on the wire stays what it was.
func TestCookiesAndPauses(t *testing.T) {
	s, err := Compile(profiles.Journey{URL: "http://shop/", Steps: []profiles.Step{{Name: "a", ThinkFrom: time.Second, ThinkTo: 3 * time.Second}, {Name: "b", SkipFailed: true}}})
	if err != nil {
		t.Fatal(err)
	}
	one, two := s.User([]int{1}), s.User(nil)
	answered(one, 0, 200, "", attack.AnswerHeader{Name: "Set-Cookie", Value: "a=1"}, attack.AnswerHeader{Name: "Set-Cookie", Value: "b=2; Max-Age=60"})
	cookies := func(u *User) string {
		var a attack.Attempt
		u.Begin(1, &a)
		return a.Fill.Cookies
	}
	if got := []string{cookies(one), cookies(two)}; !reflect.DeepEqual(got, []string{"a=1; b=2", ""}) {
		t.Errorf("cookies %q", got)
	}
	answered(one, 0, 200, "", attack.AnswerHeader{Name: "Set-Cookie", Value: "a=; Max-Age=0"})
	if got := cookies(one); got != "b=2" {
		t.Errorf("cookies %q", got)
	}
	a := attack.Attempt{Fault: attack.Reset, Phase: attack.PhaseAwait}
	one.Begin(1, &a)
	if one.End(1, &a); a.Fault != attack.Reset || a.Answer != nil {
		t.Errorf("%+v", a)
	}
	if one.Skips(0) || !one.Skips(1) || one.Think(1) != 0 {
		t.Error("steps are mixed up")
	}
	for range 100 {
		if d := one.Think(0); d < time.Second || d > 3*time.Second {
			t.Errorf("a pause of %v", d)
		}
	}
	for _, bad := range []profiles.Step{{Check: profiles.Check{Regexp: "("}}, {Extract: []profiles.Extract{{From: profiles.FromRegexp, What: "("}}}} {
		if _, err := Compile(profiles.Journey{Steps: []profiles.Step{bad}}); err == nil {
			t.Errorf("%+v was compiled", bad)
		}
	}
}
