package gather

import (
	"fmt"
	"strings"

	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/spoken"
	"github.com/rampload/rampload/report/format"
)

// quoteTrace says in words at which call traces failed, how many, and how many of the good ones did.
func quoteTrace(c *evidence.Case, j *spoken.Joined) string {
	how := fmt.Sprintf("%s of %s traces of failed transactions", format.Number(j.Times), format.Number(j.Of))
	if e := j.Edge; e.GoodOf > 0 {
		how += fmt.Sprintf(", %s of %s of good ones", format.Number(e.GoodTimes), format.Number(e.GoodOf))
	}
	return fmt.Sprintf("trace: %s: %s (%s, first at %s)", j.Edge, Telling(j.Text, j.Phrase), how, c.Run.LoadText(c.Run.LoadAt(j.First), j.First))
}

// traced returns the index of the hop that a service of traces is, by the names of hosts and processes.
func traced(c *evidence.Case, service string) (index int, ok bool) {
	service = strings.ToLower(service)
	if service == "" {
		return 0, false
	}
	for _, h := range c.Hops {
		host := strings.ToLower(h.Host)
		if host == service || strings.TrimRight(host, "-0123456789") == service || strings.ToLower(h.Process()) == service {
			return h.Index, true
		}
	}
	return 0, len(c.Hops) > 0 && strings.ToLower(c.Target.Info.Name) == service
}

// failingCall says in words at which call nearly all traces of failed transactions failed, and hardly
// any of good ones.
func failingCall(c *evidence.Case) string {
	for i := range c.Spoken {
		if j := &c.Spoken[i]; j.Edge != nil && j.Times >= 3 && j.Times >= 0.8*j.Of && j.Edge.GoodTimes <= 0.1*j.Edge.GoodOf {
			return quoteTrace(c, j)
		}
	}
	return ""
}
