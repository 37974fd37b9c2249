// Package journey is what a virtual user does between the requests of a journey: it
// keeps cookies, checks answers, and takes values from them for later steps. It sends
// nothing; a driver does, with what the user has in hand.
package journey

import (
	"fmt"
	"math/rand/v2"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// Script is a compiled journey. It is immutable and safe for concurrent use.
type Script struct {
	steps []step
	vars  []string
}

type step struct {
	profiles.Step
	url    *url.URL           // whose cookies are sent and kept
	status profiles.StatusSet // that are no failure
	calls  bool               // those are of gRPC
	body   int                // bytes of the body that are needed
	check  *Check
	takes  []take
}

// take is one value that a step extracts.
type take struct {
	*Taker
	index int // in the user's variables
}

// Compile compiles a journey. The error says which expression does not compile.
func Compile(j profiles.Journey) (*Script, error) {
	out := &Script{}
	for i, s := range j.Steps {
		u, err := url.Parse(j.Service(i).URL)
		if err != nil {
			return nil, fmt.Errorf("compile journey %s: %w", j.Name, err)
		}
		one := step{Step: s, url: u, status: j.Expect, body: attack.MaxAnswerBody}
		one.calls = profiles.Target{URL: u.String()}.Speaks() == profiles.SpeaksGRPC
		if s.Check.Status != nil {
			one.status = s.Check.Status
		}
		if one.check, err = CompileCheck(s.Check); err != nil {
			return nil, fmt.Errorf("compile check of %s/%s: %w", j.Name, s.Name, err)
		}
		one.body = max(one.body, one.check.Body())
		for _, e := range s.Extract {
			t := take{index: len(out.vars)}
			if t.Taker, err = CompileExtract(e); err != nil {
				return nil, fmt.Errorf("compile %s of %s/%s: %w", e.Name, j.Name, s.Name, err)
			}
			one.body = max(one.body, t.Body())
			one.takes = append(one.takes, t)
			out.vars = append(out.vars, s.Name+"."+e.Name)
		}
		out.steps = append(out.steps, one)
	}
	return out, nil
}

// Steps returns the number of steps.
func (s *Script) Steps() int { return len(s.steps) }

// Vars returns the names of what the steps extract, as login.token, in the order of
// [attack.Fill].Vars.
func (s *Script) Vars() []string { return s.vars }

// User is one virtual user. It is for one goroutine at a time.
type User struct {
	script *Script
	jar    *cookiejar.Jar
	fill   attack.Fill
	reply  attack.Reply
	taken  []string // by the step that is under way
}

// User returns a new user, with the rows that it has of the tables.
func (s *Script) User(rows []int) *User {
	jar, _ := cookiejar.New(nil) // never fails without options
	return &User{script: s, jar: jar, fill: attack.Fill{Rows: rows, Vars: make([]string, len(s.vars))}}
}

// Think returns how long the user pauses before a step.
func (u *User) Think(step int) time.Duration {
	s := &u.script.steps[step]
	if span := s.ThinkTo - s.ThinkFrom; span > 0 {
		return s.ThinkFrom + rand.N(span+1)
	}
	return s.ThinkFrom
}

// Skips reports whether the journey goes on where a step fails.
func (u *User) Skips(step int) bool { return u.script.steps[step].SkipFailed }

// Begin gives an attempt of a step what the user has in hand.
func (u *User) Begin(step int, a *attack.Attempt) {
	s := &u.script.steps[step]
	u.fill.Cookies = ""
	for i, c := range u.jar.Cookies(s.url) {
		if i > 0 {
			u.fill.Cookies += "; "
		}
		u.fill.Cookies += c.Name + "=" + c.Value
	}
	u.reply.Limit = s.body
	a.Fill, a.Reply = &u.fill, &u.reply
}

// End judges an attempt that has ended, before anybody counts it: a status or an answer
// that the step does not expect is a failure, and so is one without a value that it
// extracts. It keeps the cookies and values of the answer.
func (u *User) End(step int, a *attack.Attempt) {
	a.Reply = nil
	s := &u.script.steps[step]
	if s.calls {
		s.called(a)
	}
	if a.Fault != attack.None {
		return
	}
	if cookies := cookiesOf(&u.reply); len(cookies) > 0 {
		u.jar.SetCookies(s.url, cookies)
	}
	if !s.calls && len(s.status) > 0 && !s.status.Contains(int(a.Status)) {
		a.Fault = attack.Status
	} else if failed := u.takes(s); failed >= 0 {
		a.Fault, a.Detail = attack.Status, attack.Content(failed)
		a.Answer = u.answer()
		a.Answer.Why = s.why(failed, &u.reply)
		return
	}
	if a.Fault != attack.None {
		a.Answer = u.answer()
		return
	}
	for i, t := range s.takes {
		u.fill.Vars[t.index] = u.taken[i]
	}
}

// called judges the status of a call that was answered: the client takes any but ok for a
// failure, and the step may expect others.
func (s *step) called(a *attack.Attempt) {
	code := uint16(0)
	switch {
	case a.Fault == attack.None:
	case a.Fault == attack.Status && a.Detail.Kind == attack.GRPCDetail:
		code = a.Detail.Code
	default:
		return
	}
	if s.status.Contains(int(code)) {
		a.Fault, a.Detail, a.Answer = attack.None, attack.Detail{}, nil
	} else {
		a.Fault, a.Detail = attack.Status, attack.GRPCCode(uint32(code))
	}
}

// takes checks the answer to a step and takes its values. It returns what of [Content]
// the answer fails; -1: nothing.
func (u *User) takes(s *step) int {
	u.taken = u.taken[:0]
	if at := s.check.fails(&u.reply); at >= 0 {
		return at
	}
	for i := range s.takes {
		value, ok := s.takes[i].Take(&u.reply)
		if !ok {
			return s.check.parts() + i
		}
		u.taken = append(u.taken, value)
	}
	return -1
}

// answer is what of the reply is kept of a failure.
func (u *User) answer() *attack.Answer {
	out := &attack.Answer{Declared: -1, Received: u.reply.Length, Body: string(u.reply.Body[:min(len(u.reply.Body), attack.MaxAnswerBody)])}
	for _, h := range u.reply.Headers {
		if name := strings.ToLower(h.Name); attack.TellingHeader([]byte(name)) && len(out.Headers) < attack.MaxAnswerHeaders {
			out.Headers = append(out.Headers, attack.AnswerHeader{Name: name, Value: h.Value})
		}
	}
	return out
}
