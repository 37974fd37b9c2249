package completion

import (
	"container/heap"
	"math"
	"net/url"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// PollConnections is how many connections the polls of a target have, and mostPolls how
// many are in flight at once.
const (
	PollConnections = 64
	mostPolls       = 2 * PollConnections
)

// longestRest is the longest Retry-After of an answer that is waited for.
const longestRest = 30 * time.Second

// pacer keeps polls below a rate per second.
type pacer struct {
	every float64
	next  time.Duration
}

// take takes a turn now, or returns how long to wait for one. What was not used is lost
// but for a tenth of a second.
func (p *pacer) take(now time.Duration) time.Duration {
	if !(p.every > 0) {
		return 0
	}
	if p.next > now {
		return p.next - now
	}
	step := time.Duration(math.Ceil(float64(time.Second) / p.every))
	p.next = max(p.next, now-100*time.Millisecond) + step
	return 0
}

// poll asks for the state of a transaction, once.
func (tracker *Tracker) poll(tr *transaction) {
	reply := tracker.replies.Get().(*attack.Reply)
	defer tracker.replies.Put(reply)
	reply.Limit = max(tracker.done.Body(), tracker.failed.Body(), attack.MaxAnswerBody)
	reply.Begin("")
	now := tracker.cfg.Clock()
	a := attack.Attempt{Request: tr.request, Target: tracker.cfg.Polls, Last: true, Due: now, Start: now, End: now, Reply: reply}
	request, err := tracker.cfg.Poller.Compile(profiles.Request{Method: "GET", Path: tr.path, Headers: tracker.cfg.Spec.Poll.Headers})
	what := unusable
	if err != nil { // the service named a path that is none
		a.Fault, a.Phase, a.Detail = attack.Protocol, attack.PhaseWrite, attack.Detail{Kind: attack.MalformedDetail, Code: attack.MalformedHeader}
	} else {
		tracker.cfg.Poller.Do(request, &a)
		if a.Fault == attack.None {
			if what = tracker.answer(int(a.Status), reply); what == unusable {
				a.Fault = attack.Status
			}
		}
	}
	a.Reply = nil
	tracker.cfg.Count(&a)

	tracker.mu.Lock()
	tracker.polling--
	if _, still := tracker.pending[tr.key]; !still { // it was given up in the meantime
		tracker.mu.Unlock()
		tracker.look()
		return
	}
	tr.doubt = what == unusable
	if what == open || what == unusable {
		if a.Start < tr.deadline {
			rest := max(tracker.cfg.Spec.Poll.Every, min(a.RetryAfter, longestRest))
			tr.next = min(a.End+rest, tr.deadline)
			tr.next = max(tr.next, a.End)
			heap.Push(&tracker.queue, tr)
			tracker.mu.Unlock()
			tracker.look()
			return
		}
		tracker.drop(tr)
		tracker.mu.Unlock()
		tracker.expire(tr)
		tracker.look()
		return
	}
	tracker.drop(tr)
	tracker.mu.Unlock()
	tracker.end(tr, what)
	tracker.look()
}

// answer says what the answer to a poll says: by the checks of the profile; without
// them, that an answer of success is a completion, but for 202, and that whoever is not
// known yet (404, 425) is pending.
func (tracker *Tracker) answer(status int, reply *attack.Reply) outcome {
	if !tracker.failed.Empty() && (tracker.failed.Status == nil || tracker.failed.Status.Contains(status)) && tracker.failed.Passes(reply) {
		return gaveUp
	}
	success := status >= 200 && status < 400
	wanted := success && status != 202
	if tracker.done.Status != nil {
		wanted = tracker.done.Status.Contains(status)
	}
	switch {
	case wanted && tracker.done.Passes(reply):
		return completed
	case success, status == 404, status == 425:
		return open
	}
	return unusable
}

// locate returns the path of a Location below a base URL. One of another server is none,
// unless any is taken for the base's.
func locate(base, location string, anyHost bool) (string, bool) {
	b, err := url.Parse(base)
	if err != nil {
		return "", false
	}
	u, err := b.Parse(location)
	if err != nil || u.Path == "" {
		return "", false
	}
	if !anyHost && b.Scheme != "unix" && (u.Scheme != b.Scheme || u.Host != b.Host) {
		return "", false
	}
	path := u.EscapedPath()
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	return path, true
}

// Origin returns what of a base URL comes before the path: polls have whole paths.
func Origin(base string) string {
	u, err := url.Parse(base)
	if err != nil || u.Scheme == "unix" {
		return base
	}
	u.Path, u.RawPath, u.RawQuery = "", "", ""
	return u.String()
}
