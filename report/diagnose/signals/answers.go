package signals

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/words"
)

// place says of whom the words of an answer speak.
type place uint8

const (
	writer place = iota // of whoever wrote it
	behind              // of what stands behind whoever wrote it
)

// vocabulary is what known software says when something is short or away, in lower
// case. Each phrase is one that its authors chose for that alone.
var vocabulary = []struct {
	clue    evidence.Clue
	of      place
	phrases []string
}{
	{evidence.SaysFull, behind, []string{
		"too many clients", "remaining connection slots", "too many connections", "max number of clients", "53300", "max_connections", "max_client_conn", "max_user_connections",
	}},
	{evidence.SaysPool, writer, []string{
		"pool exhausted", "pool is exhausted", "pool timeout", "pooltimeout", "queuepool limit", "connection pool", "from pool", "connection is not available, request timed out",
		"unable to acquire", "could not acquire", "timed out acquiring", "timeout acquiring", "no available connection", "no free connection", "too many open connections", "pool is full", "bulkhead",
	}},
	{evidence.SaysSlots, writer, []string{"worker_connections are not enough", "connection limit reached", "too many active connections", "maxclients", "server reached max"}},
	{evidence.SaysQueue, writer, []string{"reset reason: overflow", "pending overflow", "queue is full", "queue full", "circuit breaker", "circuitbreaker", "queue timeout"}},
	{evidence.SaysFiles, writer, []string{"too many open files", "emfile", "enfile"}},
	{evidence.SaysPorts, writer, []string{"cannot assign requested address", "can't assign requested address", "eaddrnotavail", "no free ports"}},
	{evidence.SaysMemory, writer, []string{"out of memory", "cannot allocate memory", "outofmemoryerror", "heap space", "enomem"}},
	{evidence.SaysDisk, writer, []string{"no space left on device", "enospc", "disk quota exceeded", "read-only file system"}},
	{evidence.SaysLocking, behind, []string{"deadlock detected", "deadlock found", "lock wait timeout", "database is locked", "could not serialize access", "lock timeout"}},
	{evidence.SaysUnknownName, behind, []string{
		"name or service not known", "could not resolve", "no such host", "temporary failure in name resolution", "enotfound", "eai_again", "server misbehaving", "nxdomain", "getaddrinfo",
	}},
	{evidence.SaysAway, behind, []string{
		"no healthy upstream", "connection refused", "econnrefused", "no server is available", "connection failure", "no live upstreams", "host is down", "no endpoints",
	}},
	{evidence.SaysBrokenBehind, behind, []string{
		"upstream connect error", "reset reason: connection termination", "reset reason: remote", "connection reset by peer", "econnreset", "server closed the connection unexpectedly", "socket hang up",
		"upstream prematurely closed", "remotedisconnected", "broken pipe", "terminating connection",
	}},
	{evidence.SaysRate, writer, []string{"rate limit", "ratelimit", "too many requests", "quota exceeded", "throttl", "request limit", "slow down"}},
	{evidence.SaysCredentials, writer, []string{
		"token expired", "expired token", "jwt expired", "invalid token", "invalid_token", "token is expired", "token has expired", "invalid api key", "bad credentials", "invalid credentials",
		"authentication failed", "signature has expired", "not authenticated",
	}},
	{evidence.SaysBig, writer, []string{"entity too large", "payload too large", "content too large", "uri too long", "uri too large", "header fields too large", "cookie too large", "body too large", "max_allowed_packet", "too large"}},
}

// observeAnswers asks what the answers to failed requests say, of the hop h: it is the
// one that wrote them, or the one that they speak of.
func observeAnswers(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	if len(c.Said) == 0 {
		return
	}
	for _, v := range vocabulary {
		example, share := c.Saying(func(words string) bool {
			return slices.ContainsFunc(v.phrases, func(p string) bool { return strings.Contains(words, p) })
		})
		if share == 0 {
			continue
		}
		if index, ok := speaksOf(c, example, v.of); !ok || index != h.Index {
			continue
		}
		f.Set(v.clue, evidence.When(share, 0.05, 0.5), "answers", "%s", evidence.Quote(example))
	}
	if h.Index == 0 {
		observeRetryAfter(c, f)
		if f[evidence.SaysBrokenBehind].Is == evidence.Yes || f[evidence.SaysAway].Is == evidence.Yes {
			f[evidence.BadGateway] = f[evidence.SaysBrokenBehind]
		}
		if s, ok := c.ShortAnswers(); ok {
			name := s.Request
			if name == "" {
				name = "a response"
			}
			f.Set(evidence.ShortBody, evidence.Yes, "client", "%s announced %s bytes and brought %s, %s of %s times that were read",
				name, words.Commas(float64(s.Declared)), words.Commas(float64(s.Received)), words.Commas(s.Times), words.Commas(s.Of))
		}
	}
	if h.Index > 0 && (saysBehind(c, evidence.SaysAway) || saysBehind(c, evidence.SaysBrokenBehind)) {
		f.Set(evidence.BadGateway, evidence.Yes, "answers", "answers say that what stands behind gave none")
	}
}

// saysBehind reports whether most failures say something of what stands behind.
func saysBehind(c *evidence.Case, clue evidence.Clue) bool {
	for _, v := range vocabulary {
		if v.clue != clue {
			continue
		}
		_, share := c.Saying(func(words string) bool {
			return slices.ContainsFunc(v.phrases, func(p string) bool { return strings.Contains(words, p) })
		})
		return share >= 0.5
	}
	return false
}

// SpeaksBehind reports whether most failures speak of a hop behind whoever wrote them.
func SpeaksBehind(c *evidence.Case) bool {
	for _, v := range vocabulary {
		if v.of == behind && saysBehind(c, v.clue) {
			return true
		}
	}
	return false
}

// speaksOf returns the index of the hop that an answer speaks of. A proxy's own page is
// the proxy's; all else passed through it, and was written by the first hop that is no
// proxy. ok is false where the way is not known as far as that.
func speaksOf(c *evidence.Case, a report.Answer, of place) (index int, ok bool) {
	if !ownPage(a) {
		for index < len(c.Hops)-1 && c.ProxyProcess(c.Hops[index]) != "" {
			index++
		}
	}
	if of == behind {
		index++
	}
	return index, index < len(c.Hops)
}

// ownPage reports whether an answer is one that a proxy writes itself.
func ownPage(a report.Answer) bool {
	says, by := strings.ToLower(a.Says), strings.ToLower(a.By)
	for _, name := range []string{"nginx", "openresty", "haproxy", "envoy", "varnish", "traefik", "squid", "apache"} {
		if strings.Contains(says, name) {
			return true
		}
	}
	switch {
	case strings.Contains(says, "upstream connect error"), strings.Contains(says, "no healthy upstream"), strings.Contains(says, "no server is available to handle this request"):
		return true
	case says == "":
		return evidence.IsProxy(by)
	}
	return false
}

// observeRetryAfter asks whether answers told to come again later: that is a policy.
func observeRetryAfter(c *evidence.Case, f *evidence.Facts) {
	var asked, of float64
	wait := 0.0
	for _, a := range c.Said {
		if a.Fault != attack.Status.String() {
			continue
		}
		of += float64(a.Times)
		if a.RetryAfterS != nil && (a.Status == 429 || a.Status == 503) {
			asked += float64(a.Times)
			wait = max(wait, *a.RetryAfterS)
		}
	}
	if asked == 0 {
		return
	}
	share := asked / of * c.Parts.Share(attack.Status)
	f.Set(evidence.RetryAsked, evidence.When(share, 0.05, 0.5), "answers", "%s of %s answers that were read asked to come again after %s%s",
		words.Commas(asked), words.Commas(of), words.WordSeconds(wait), passedRate(c))
}

// passedRate says how many requests a second were let through from the onset on, where
// that is steady.
func passedRate(c *evidence.Case) string {
	if c.Onset.Status != evidence.Found {
		return ""
	}
	k := max(1, int(1/c.Run.Step+0.5))
	var rates []float64
	for i := c.Run.Window(c.At + 1); i+k <= c.Run.N; i += k {
		rates = append(rates, evidence.Sum(c.Target.Ok[i:i+k])/(float64(k)*c.Run.Step))
	}
	if len(rates) < 3 {
		return ""
	}
	mean, cv := evidence.MeanCV(rates)
	if cv > 0.15 || mean <= 0 {
		return ""
	}
	return fmt.Sprintf("; %s/s were let through, whatever was offered", words.Commas(mean))
}

// observeSizes asks whether what fails is parted from what does not by its size.
func observeSizes(c *evidence.Case, f *evidence.Facts) {
	if s := c.BySent; s != nil {
		f.Set(evidence.BigRequests, evidence.Yes, "client", "%s", s.Text())
		var waited, again float64
		for _, x := range c.Failures {
			if x.Fault == attack.Timeout && x.Info.Valid && x.Phase > attack.PhaseTLS {
				waited++
				if x.Info.TotalRetrans > 0 && x.Info.Unacked > 0 {
					again++
				}
			}
		}
		if waited >= 5 {
			f.Set(evidence.BigUnacked, evidence.When(again/waited, 0.3, 0.8), "client", "%s of %s that timed out had been sent again and never acknowledged; %s", words.Commas(again), words.Commas(waited), s.Text())
		}
	}
	if s := c.ByReceived; s != nil {
		f.Set(evidence.BigResponses, evidence.Yes, "client", "%s", s.Text())
	}
}
