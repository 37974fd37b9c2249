package importer

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/data"
	"github.com/rampload/rampload/profiles/spelling"
)

// Bounds of the journey that a recording becomes.
const (
	mostSteps  = 100
	mostPause  = 30 * time.Second
	leastPause = 200 * time.Millisecond // what is shorter is the browser's, not its user's
)

// recorded is a request of a recording that is kept.
type recorded struct {
	entry   harEntry
	url     *url.URL
	request profiles.Request
	began   time.Time
}

// journey makes what was recorded one journey: the requests in their order, with the
// pauses between them, and what answers gave for later requests.
func (imp *importing) journey(all []recorded) {
	slices.SortStableFunc(all, func(a, b recorded) int { return a.began.Compare(b.began) })
	if left := len(all) - mostSteps; left > 0 {
		imp.note("a journey has %d steps at most: the last %s of the recording are left out", mostSteps, requests(left))
		all = all[:mostSteps]
	}
	j := profiles.Journey{Name: imp.out.Profile.Name, URL: root(all[0].url)}
	keeps := setsCookies(all)
	values := &answers{in: imp}
	var over time.Time // when all that was asked before had been answered
	cut := 0
	for i, rec := range all {
		s := profiles.Step{Name: stepName(rec, j.Steps), Request: rec.request}
		s.Request.Weight = 1
		if at := root(rec.url); at != j.URL {
			s.At.URL = at
		}
		if keeps {
			s.Request.Headers = slices.DeleteFunc(s.Request.Headers, func(h profiles.Header) bool { return strings.EqualFold(h.Name, "Cookie") })
		}
		if pause := rec.began.Sub(over); i > 0 && pause >= leastPause {
			if pause > mostPause {
				pause, cut = mostPause, cut+1
			}
			s.ThinkFrom = (pause * 3 / 4).Round(100 * time.Millisecond)
			s.ThinkTo = (pause * 5 / 4).Round(100 * time.Millisecond)
		}
		values.use(&s.Request, j.Steps)
		imp.headers(&s.Request)
		imp.places(&s.Request)
		j.Steps = append(j.Steps, s)
		values.learn(i, rec)
		if end := rec.began.Add(time.Duration(rec.entry.Time * float64(time.Millisecond))); end.After(over) {
			over = end
		}
	}
	imp.out.Profile.Journeys = []profiles.Journey{j}
	imp.out.Profile.Load = profiles.Load{
		profiles.Ramp{From: 1, To: 10, For: time.Minute, Journeys: true},
		profiles.Hold{Rate: 10, For: 30 * time.Second, Journeys: true},
	}
	imp.note("the load is a guess: 1 to 10 users a second begin the journey; write what your service has to bear")
	if cut > 0 {
		imp.note("%s longer than %s were cut to it", counted(cut, "pause"), spelling.FormatDuration(mostPause))
	}
	if keeps {
		imp.note("every user begins without cookies, and keeps those that answers set: the recorded ones are left out")
	}
}

// headers leaves out what the client sets by itself, and puts variables where there are
// credentials.
func (imp *importing) headers(r *profiles.Request) {
	recorded := r.Headers
	r.Headers = nil
	for _, h := range recorded {
		if h, keep := imp.header(h.Name, h.Value); keep {
			r.Headers = append(r.Headers, h)
		}
	}
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func root(u *url.URL) string { return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String() }

// setsCookies reports whether any answer set a cookie.
func setsCookies(all []recorded) bool {
	return slices.ContainsFunc(all, func(r recorded) bool {
		return slices.ContainsFunc(r.entry.Response.Headers, func(h harField) bool { return strings.EqualFold(h.Name, "Set-Cookie") })
	})
}

// stepName names a step after what it asks for.
func stepName(rec recorded, before []profiles.Step) string {
	name := ""
	for segment := range strings.SplitSeq(rec.url.Path, "/") {
		if s := strings.ToLower(strings.ReplaceAll(plain(segment, ""), ".", "-")); s != "" && len(s) <= 20 && !telling(segment) {
			name = s // the last that is no id
		}
	}
	switch {
	case name == "":
		name = "home"
	case slices.Contains(data.Families(), name):
		name += "-step"
	}
	unique := name
	for n := 2; slices.ContainsFunc(before, func(s profiles.Step) bool { return s.Name == unique }); n++ {
		unique = fmt.Sprintf("%s-%d", name, n)
	}
	return unique
}

// telling reports whether a value looks as if a server had made it up: nobody else would
// write the same.
func telling(value string) bool {
	digits := 0
	for _, r := range value {
		if r >= '0' && r <= '9' {
			digits++
		}
	}
	return digits == len(value) && digits >= 5 || digits > 0 && len(value) >= 6 || len(value) >= 16 && !strings.Contains(value, " ")
}

// text returns what was recorded of the answer's body.
func (e harEntry) text() string {
	c := e.Response.Content
	if c.Encoding != "base64" {
		return c.Text
	}
	b, err := base64.StdEncoding.DecodeString(c.Text)
	if err != nil {
		return ""
	}
	return string(b)
}
