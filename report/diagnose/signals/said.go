package signals

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

// observeSaid asks what the failures themselves say: their statuses, the details of their protocols, and
// whether a connection broke at all.
func observeSaid(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	p := c.Parts
	if p.Failed == 0 {
		return
	}
	if name := c.ProxyProcess(h); name != "" {
		f.Set(evidence.KnownProxy, evidence.Yes, "processes of "+h.Host, "%s passes requests on", name)
	}
	answered := p.Share(attack.Status)
	f.Set(evidence.Answered, evidence.When(answered, 0.5, 0.95), "client", "%s of the failures were answers with a status that is not expected", format.Percent(answered))
	if h.Index > 0 {
		return
	}
	whole := answered >= 0.95 && p.Wire+p.Idle == 0
	f.Set(evidence.Unbroken, evidence.IsTrue(whole), "client", "no connection was reset or closed under a request")
	refused := p.Share(attack.Refused)
	f.Set(evidence.RefusedAll, evidence.When(refused, 0.6, 0.97), "client", "%s of the failures were refused connections: nothing listened there", format.Percent(refused))
	taken := c.Target.Total.Ok + c.Target.Total.Failed - c.Target.Total.Phase[attack.PhaseDial] - c.Target.Total.Phase[attack.PhaseDNS]
	f.Set(evidence.NeverTaken, evidence.IsTrue(taken == 0 && p.Failed >= 5), "client", "not one of %s attempts got a connection", format.Number(c.Target.Total.Attempts))
	large := (statusCount(c, 413) + statusCount(c, 414) + statusCount(c, 431)) / p.Failed
	f.Set(evidence.TooLarge, evidence.When(large, 0.05, 0.5), "client", "%s of the failures were answered that the request is too large (413, 414 or 431)%s", format.Percent(large), ofRequests(c))
	denied := (statusCount(c, 401) + statusCount(c, 403)) / p.Failed
	if c.Onset.Status == evidence.Found { // a refusal from the start of the run is intended
		f.Set(evidence.Unauthorized, evidence.When(denied, 0.5, 0.9), "client", "%s of the failures were answered %s, none before%s", format.Percent(denied), denials(c), ofRequests(c))
	}
	observeDetails(c, f)
	observeAddress(c, f)
	observeAge(c, f)
	observeLasting(c, f)
}

func statusCount(c *evidence.Case, code uint16) float64 { return c.Statuses[code] }

// ofRequests names the request whose failures these are, where all are of one.
func ofRequests(c *evidence.Case) string {
	if s := evidence.OneRequest(c); s != "" {
		return "; " + s
	}
	return ""
}

// mismatch reports whether a TLS alert says that nothing offered was acceptable: handshake_failure,
// protocol_version, insufficient_security, inappropriate_fallback, no_application_protocol
// (RFC 8446 §6.2).
func mismatch(d attack.Detail) bool {
	switch d {
	case attack.Alert(40), attack.Alert(70), attack.Alert(71), attack.Alert(86), attack.Alert(120):
		return true
	}
	return false
}

// observeDetails asks what the protocols said about certificates, alerts and names.
func observeDetails(c *evidence.Case, f *evidence.Facts) {
	var kinds [attack.ServerDetail + 1]float64
	named := map[attack.Detail]float64{}
	for _, w := range c.Target.Windows {
		for _, cell := range w.Cells {
			if cell.Detail.IsZero() || !cell.Fault.Failure() || int(cell.Detail.Kind) >= len(kinds) {
				continue
			}
			kinds[cell.Detail.Kind] += float64(cell.Attempts)
			named[cell.Detail] += float64(cell.Attempts)
		}
	}
	commonest := func(of func(attack.Detail) bool) string {
		best, n := attack.Detail{}, 0.0
		for d, k := range named {
			if of(d) && (k > n || k == n && d.Code < best.Code) {
				best, n = d, k
			}
		}
		return fmt.Sprintf("%s of the failures: %s", format.Percent(n/max(c.Target.Total.Failed, 1)), best)
	}
	most := func(kind attack.DetailKind) string {
		return commonest(func(d attack.Detail) bool { return d.Kind == kind })
	}
	share := func(kind attack.DetailKind) float64 { return kinds[kind] / max(c.Target.Total.Failed, 1) }
	if n := share(attack.CertificateDetail); n > 0 {
		f.Set(evidence.CertificateRefused, evidence.When(n, 0.05, 0.5), "client", "%s", most(attack.CertificateDetail))
	}
	apart := 0.0
	for d, n := range named {
		if mismatch(d) {
			apart += n
		}
	}
	if n := apart / max(c.Target.Total.Failed, 1); n > 0 {
		f.Set(evidence.AlertMismatch, evidence.When(n, 0.05, 0.5), "client", "%s", commonest(mismatch))
	}
	if n := share(attack.AlertDetail); n > 0 {
		f.Set(evidence.AlertTold, evidence.When(n, 0.05, 0.5), "client", "%s", most(attack.AlertDetail))
	}
	full := named[attack.Detail{Kind: attack.ServerDetail, Code: attack.ServerTooManyClients}] / max(c.Target.Total.Failed, 1)
	if full > 0 {
		f.Set(evidence.SaysSlots, evidence.When(full, 0.05, 0.5), "client", "%s of the failures: the server itself says that it has too many clients", format.Percent(full))
	}
	if slow := named[attack.Detail{Kind: attack.ServerDetail, Code: attack.ServerSlowConsumer}] / max(c.Target.Total.Failed, 1); slow > 0 {
		f.Set(evidence.SaysSlowReader, evidence.When(slow, 0.05, 0.5), "client", "%s of the failures: the server itself says that it gave up a slow consumer", format.Percent(slow))
	}
	text := fmt.Sprintf("%s of the failures were look-ups of the name", format.Percent(c.Parts.Share(attack.DNS)))
	if kinds[attack.DNSDetail] > 0 {
		text = most(attack.DNSDetail)
	}
	f.Set(evidence.NameUnknown, evidence.When(c.Parts.Share(attack.DNS), 0.05, 0.5), "client", "%s", text)
}

// observeAddress asks whether one of several addresses accepts no connection while the others do.
func observeAddress(c *evidence.Case, f *evidence.Facts) {
	b := c.Address
	if b == nil {
		return
	}
	early := c.Parts.Phase[attack.PhaseDial] / max(c.Parts.Failed, 1)
	if early >= 0.9 && b.Failed >= 0.9*b.OfIt {
		f.Set(evidence.AddressAway, evidence.Yes, "client", "%s, nearly all while connecting; connections to the other addresses came up", b.Text())
	}
}

// denials names the statuses that refuse credentials.
func denials(c *evidence.Case) string {
	for _, status := range []uint16{401, 403} {
		if name := c.Answered(status); name != strconv.Itoa(int(status)) {
			return name
		}
	}
	return "401 or 403"
}

// agedOut returns how many failures were on connections that the server said it closes for their age; 0
// where most were not.
func agedOut(c *evidence.Case) int {
	told := 0
	for _, x := range c.Failures {
		if x.Detail == attack.GoAway(0, "max_age") {
			told++
		}
	}
	if told < 3 || 2*told < len(c.Failures) {
		return 0
	}
	return told
}

// observeAge asks whether connections break at the same age, whatever number of requests they served.
func observeAge(c *evidence.Case, f *evidence.Facts) {
	if told := agedOut(c); told > 0 {
		f.Set(evidence.SteadyAge, evidence.Yes, "client", "%s of %s failures were on connections that the server ended at their greatest age (GOAWAY max_age)", format.Number(float64(told)), format.Number(float64(len(c.Failures))))
		return
	}
	var age, idle []float64
	for _, x := range c.Failures {
		if evidence.ConnectionFault(x) && x.Fault != attack.Timeout && x.Conn.Age > 0 {
			age = append(age, x.Conn.Age.Seconds())
			idle = append(idle, x.Conn.Idle.Seconds())
		}
	}
	if len(age) < 8 || float64(len(age)) < 0.8*float64(len(c.Failures)) {
		return
	}
	slices.Sort(age)
	low, middle, high := age[len(age)/10], age[len(age)/2], age[len(age)*9/10]
	ends := make([]float64, 0, len(c.Failures))
	for _, x := range c.Failures {
		ends = append(ends, x.End.Seconds())
	}
	spread := slices.Max(ends) - slices.Min(ends)
	rested := evidence.QuantileOf(idle, 0.5) > 0.5*middle
	if middle >= 0.5 && high-low <= max(0.1*middle, 0.1) && spread >= 3 && !rested {
		f.Set(evidence.SteadyAge, evidence.Yes, "client", "connections broke when they were %s old, whatever they had served", words.SecondsTo(low, high))
	}
}

// observeLasting asks whether failures go on at loads far below that of the onset, and which share of the
// attempts were retries: retries may keep a service overloaded.
func observeLasting(c *evidence.Case, f *evidence.Facts) {
	var retries, sent float64
	for _, w := range c.Target.Windows {
		if at := float64(w.Index) * c.Run.Step; at >= c.From {
			retries, sent = retries+float64(w.Retries), sent+float64(w.Sent)
		}
	}
	if sent > 0 {
		f.Set(evidence.RetriesAdd, evidence.When(retries/sent, 0.1, 0.4), "client", "%s retries came on top of %s requests from then on", format.Number(retries), format.Number(sent))
	}
	if c.Onset.Status != evidence.Found {
		return
	}
	low, failed, all := math.Inf(1), 0.0, 0.0
	for i := c.Run.Window(c.At + 1); i < c.Run.N; i++ {
		if l := c.Run.Load[i]; l < 0.7*c.Onset.Load.Value && l > 0 && c.Target.Attempts[i] > 0 {
			low = min(low, l)
			failed, all = failed+c.Target.Failed[i], all+c.Target.Attempts[i]
		}
	}
	if all >= 20 {
		f.Set(evidence.OutlastsLoad, evidence.When(failed/all, 0.1, 0.5), "client", "%s of %s attempts failed at loads far below the onset, down to %s/s", format.Number(failed), format.Number(all), format.Number(low))
	}
}

// portsFull asks whether a hop had no local port left towards the next.
func portsFull(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	for _, r := range c.Run.Resources {
		if r.Metric.Name == probe.EphemeralPorts && c.Run.SpeaksFor(r.Metric, h) && !evidence.TowardsTarget(c, r.Metric.Instance) && r.Full != nil && r.Full.At <= c.At+1 &&
			(h.Host != evidence.LocalHost || r.Metric.Instance != "") {
			f.SetAt(evidence.PortsFull, evidence.Yes, r.Full.At, "probe of "+r.Metric.Host, "%s", r.Describe())
		}
	}
}
