package inquiry

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"github.com/rampload/rampload/attack"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/saturation"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

// DeadName returns the name of the process that ended, and the time in words.
func (inquiry *Investigation) DeadName(h *Hypothesis) (name, at string) {
	if d := FirstDeath(inquiry, h); d != nil {
		return words.OrThe(d.Process), format.Seconds(d.At)
	}
	return "the process", format.Seconds(inquiry.At)
}

// needed estimates how much of a resource the highest load of the run needs: a line through use and
// load before the onset, extended to that load, plus a fifth. False where no line fits.
func (inquiry *Investigation) needed(r *evidence.Resource) (float64, bool) {
	if r == nil || inquiry.Onset.Status != evidence.Found {
		return 0, false
	}
	var x, y, xx, xy, n float64
	for i, t := range r.At {
		if t >= 0 && t < inquiry.At-0.25 && t < r.FullAt()-0.25 {
			l := inquiry.Run.LoadAt(t)
			x, y, xx, xy, n = x+l, y+r.Value[i], xx+l*l, xy+l*r.Value[i], n+1
		}
	}
	det := n*xx - x*x
	if n < 8 || det <= 0 {
		return 0, false
	}
	slope := (n*xy - x*y) / det
	base := (y - slope*x) / n
	need := 1.2 * (base + slope*inquiry.Run.MaxLoad())
	if slope <= 0 || need <= r.Peak {
		return 0, false
	}
	return need, true
}

// LimitSeen adds to an advice the limit of the resource that ran out, or its peak, and the amount
// that the highest load needs where that can be estimated.
func (inquiry *Investigation) LimitSeen(h *Hypothesis, what string) string {
	r := h.Lead
	if r == nil {
		return what
	}
	seen := format.Amount(r.Peak, r.Def.Unit)
	if !math.IsNaN(r.Limit) && r.Full != nil {
		seen = format.Amount(r.Limit, r.Def.Unit)
	}
	s := fmt.Sprintf("%s (now %s", what, seen)
	if n, ok := inquiry.needed(r); ok && r.Def.Unit != "share" {
		s += fmt.Sprintf("; %s", inquiry.needs(format.Amount(format.RoundUp(n), r.Def.Unit)))
	}
	return s + ")"
}

// IdleAdvice names the idle time after which the server closes connections, where that was seen, and
// says whose timeout must be shorter: the client's, or that of the host that calls the next hop.
func (inquiry *Investigation) IdleAdvice(h *Hypothesis) []string {
	then := "retry idempotent requests once on a reused connection"
	after := ""
	if inquiry.IdleFrom > 0 {
		after = fmt.Sprintf(": it closes them after about %s", format.Seconds(inquiry.IdleFrom))
	}
	if h.Hop.Index > 0 {
		return []string{fmt.Sprintf("on %s, keep connections to the next hop idle for less than that does%s", cmp.Or(inquiry.Hops[h.Hop.Index-1].Host, "the gateway"), after), then}
	}
	keep := words.Keeps(inquiry.Run.Log.Header.Generator.IdleTimeout.Seconds())
	if after != "" {
		after += ", this client keeps them " + keep
	}
	return []string{"keep connections idle for less than the server does" + after, "behind a proxy, set each keep-alive timeout below that of the next hop; " + then}
}

// FileAdvice says to which value the limit of open files should go, or what leaks them.
func (inquiry *Investigation) FileAdvice(h *Hypothesis) []string {
	r := h.Lead
	if r == nil {
		return []string{"raise the soft limit of open files (LimitNOFILE of the unit, ulimit -n)"}
	}
	if r.Metric.Name == probe.FileTable {
		return []string{inquiry.LimitSeen(h, "raise fs.file-max")}
	}
	target := 2 * r.Limit
	need, known := inquiry.needed(r)
	if known {
		for target < need {
			target *= 2
		}
	}
	if g, ok := inquiry.Leak(h); ok {
		return []string{
			"find what opens files, sockets or pipes and does not close them: " + inquiry.Leaks(h, g),
			words.Join(fmt.Sprintf("%s (now %s)", fileLimit(r.Metric.Process, target), format.Number(r.Limit)), g.delays(target)),
		}
	}
	s := fmt.Sprintf("%s (now %s", fileLimit(r.Metric.Process, target), format.Number(r.Limit))
	if known {
		return []string{s + "; " + inquiry.needs(format.Number(format.RoundUp(need))) + ")"}
	}
	return []string{s + ")", "check that descriptors are closed: a limit that is reached at any load sooner or later is a leak"}
}

// fileLimit is the setting that raises a process' limit of open files.
func fileLimit(process string, limit float64) string {
	if process == "nginx" { // its workers set their own limit
		return fmt.Sprintf("worker_rlimit_nofile %.0f", limit)
	}
	return fmt.Sprintf("LimitNOFILE=%.0f", limit)
}

// needs says in words that the highest load of the run needs an amount.
func (inquiry *Investigation) needs(amount string) string {
	verb := "needs"
	if top := inquiry.Run.TopText(); strings.HasSuffix(top, "connections") {
		verb = "need"
	}
	return fmt.Sprintf("%s %s about %s", inquiry.Run.TopText(), verb, amount)
}

// PortAdvice says how many ports closed connections held: each holds its port for 60 s in TIME_WAIT.
func (inquiry *Investigation) PortAdvice(h *Hypothesis) []string {
	const more = "widen net.ipv4.ip_local_port_range, or add upstream or source addresses"
	need, closed, held := inquiry.PortsHeld(h.Lead)
	if !held {
		return []string{inquiry.LimitSeen(h, "keep connections to the upstream alive, "+more)}
	}
	s := more + fmt.Sprintf(" (now %s", format.Number(h.Lead.Limit))
	if need > h.Lead.Limit {
		s += "; without keep-alive " + inquiry.needs(format.Number(need))
		if most := format.RoundUp(math.Round(inquiry.Run.MaxLoad()) * evidence.TimeWaitFor); most > need {
			s += ", at most " + format.Number(most)
		}
	}
	return []string{
		fmt.Sprintf("keep connections to the upstream alive: %s of %s ports were held by closed connections, each for 60 s (TIME_WAIT)",
			format.Number(closed), format.Number(h.Lead.Peak)),
		s + ")",
	}
}

// ConntrackAdvice says how large a table the highest load needs, where entries of closed connections
// fill it: an entry outlives its connection by up to 120 s.
func (inquiry *Investigation) ConntrackAdvice(h *Hypothesis) []string {
	const more = "raise net.netfilter.nf_conntrack_max (and its hash size), shorten its timeouts, or exempt this traffic (notrack)"
	r := h.Lead
	if r == nil || r.Metric.Name != probe.Conntrack {
		return []string{inquiry.LimitSeen(h, more)}
	}
	g, ok := saturation.LongestClimb(inquiry.Run, r)
	sent := inquiry.SentBetween(g.From, g.To)
	if !ok || sent <= 0 || !growsWithTotal(inquiry.Case, r, g) {
		return []string{inquiry.LimitSeen(h, more)}
	}
	each := (g.Value - g.Begin) / sent
	return []string{fmt.Sprintf("%s (now %s; an entry outlives its connection by up to 120 s: %s)",
		more, format.Number(r.Limit), inquiry.needs(format.Number(format.RoundUp(each*inquiry.Run.MaxLoad()*evidence.EntryFor))))}
}

// MemoryAdvice says to which value the memory limit should go, or what leaks memory.
func (inquiry *Investigation) MemoryAdvice(h *Hypothesis) []string {
	const raise = "raise the memory limit, or bound what grows with load"
	r := h.Lead
	if g, ok := inquiry.Leak(h); ok {
		return []string{
			"find what keeps memory: " + inquiry.Leaks(h, g),
			words.Join(inquiry.LimitSeen(h, "raise the memory limit"), g.delays(2*r.Limit)),
		}
	}
	out := []string{inquiry.LimitSeen(h, raise)}
	if r == nil {
		return out
	}
	if g, ok := saturation.LongestClimb(inquiry.Run, r); ok {
		out = append(out, fmt.Sprintf("it grew by %s from %s to %s into the load: if that goes on at constant load it is a leak",
			words.PerSecond(g.Slope, r.Def.Unit), format.Seconds(g.From), format.Seconds(g.To)))
	}
	return out
}

// Unseen lists the sources that were missing and would have told more.
func (inquiry *Investigation) Unseen() []string {
	var out []string
	for _, h := range inquiry.Watchable() {
		if h.Host == "" {
			out = append(out, "the serving host (name it under hosts)")
			continue
		}
		if !kernels.WatchesProcess(inquiry.Case, h) {
			out = append(out, "the serving process on "+h.Host)
		}
		if !inquiry.Run.Observed(h, evidence.SourceTrace, probe.RSTSent) {
			out = append(out, "the kernel's reset reasons on "+h.Host)
		}
	}
	return out
}

// WouldDecide says what to watch or try so that the next run is decided.
func (inquiry *Investigation) WouldDecide() []string {
	var out []string
	p := inquiry.Parts
	flag, process := "--process COMMAND", "{name: COMMAND}" // a Unix socket has no port
	if port := inquiry.Target.Info.ListenPort; port > 0 {
		flag, process = fmt.Sprintf("--listen %d", port), fmt.Sprintf("{listen: %d}", port)
	}
	for _, h := range inquiry.Watchable() {
		switch {
		case h.Host == "":
			out = append(out, fmt.Sprintf("watch the serving host: run rampload probe %s there during the load, or send the load from there and name it in the profile: hosts: [{name: NAME, processes: [%s]}]", flag, process))
		case !kernels.WatchesProcess(inquiry.Case, h):
			out = append(out, fmt.Sprintf("watch the serving process of %s: processes: [%s]", h.Host, process))
		case !inquiry.Run.Observed(h, evidence.SourceTrace, probe.RSTSent) && p.Wire > 0:
			out = append(out, fmt.Sprintf("run as root on %s to see the kernel's reason for each reset", h.Host))
		}
	}
	if p.Wire > 0 && !inquiry.Loopback && !inquiry.Run.Observed(evidence.Hop{Host: evidence.LocalHost}, evidence.SourceCapture, probe.RSTPacket) {
		out = append(out, "run as root here to capture the resets: their TTL tells whether the path sent them")
	}
	if evidence.CleanLeg(inquiry.Case) && len(inquiry.Watchable()) == 1 && inquiry.Status(502)+inquiry.Status(503)+inquiry.Status(504) > 0.5 {
		out = append(out, "name the host behind this one as the second of the target's hosts: the failures come from there")
	}
	var twins []*Hypothesis
	for _, h := range inquiry.Hypotheses[:min(2, len(inquiry.Hypotheses))] {
		if h.Lead != nil && h.Lead.Full != nil && h.Posterior >= evidence.CandidateAt {
			twins = append(twins, h)
		}
	}
	if len(twins) > 0 {
		r := twins[0].Lead
		out = append(out, fmt.Sprintf("raise only the limit of %s on %s and repeat the same profile: if the onset moves, it was that", strings.ReplaceAll(r.Metric.Name, "-", " "), r.Metric.Host))
	}
	if len(out) == 0 {
		out = append(out, inquiry.lookAt())
	}
	return out
}

// Advice says what to check or change for a hypothesis.
func (h *Hypothesis) Advice(c *Investigation) []string {
	if h.Rule.Advice == nil {
		return nil
	}
	return h.Rule.Advice(c, h)
}

// lookAt says where to look first: at what the failures have in common, else whether they come again.
func (inquiry *Investigation) lookAt() string {
	if a := inquiry.Address; a != nil {
		return fmt.Sprintf("look at what serves %s: the failures are of that address", a.Addr)
	}
	if s := inquiry.BySent; s != nil {
		return fmt.Sprintf("look at what limits the size of requests between here and the service: those of %s bytes and more fail", format.Number(math.Round(s.Fails)))
	}
	if s := inquiry.bySize(); s != "" {
		return "look at " + s
	}
	if where, text := gather.Told(inquiry.Case); where != "" {
		return fmt.Sprintf("read the log of %s around it: %s", where, text)
	}
	for _, said := range inquiry.Said { // the commonest first
		if said.Says == "" || said.Fault != attack.Status.String() {
			continue
		}
		by := said.By
		if by == "" {
			by = inquiry.Name()
		}
		return fmt.Sprintf("look in the log of %s for why it answers %s: %s", by, said.Label(), said.Says)
	}
	return "repeat the ramp: what happens again at the same load is caused by load"
}

// bySize names the size of responses above which requests fail, or the one request that fails alone;
// empty for neither.
func (inquiry *Investigation) bySize() string {
	if s := inquiry.ByReceived; s != nil {
		return fmt.Sprintf("what limits the size of responses on the way: those of %s bytes and more fail", format.Number(math.Round(s.Fails)))
	}
	if one := gather.WorstRequest(inquiry.Case); one != "" {
		return "what this request alone does: " + one
	}
	return ""
}
