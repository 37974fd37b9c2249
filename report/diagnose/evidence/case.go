package evidence

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/answers"
	"github.com/rampload/rampload/report/diagnose/reach"
	"github.com/rampload/rampload/report/diagnose/spoken"
	"github.com/rampload/rampload/report/diagnose/waiting"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

// Headline returns the first of the onsets, nil without any.
func Headline(onsets []Onset) *Onset {
	if len(onsets) == 0 {
		return nil
	}
	return &onsets[0]
}

// Status returns the share of failed requests with a status.
func (question *Case) Status(code uint16) float64 {
	return question.Statuses[code] / max(question.Parts.Failed, 1)
}

// Fives counts the failures that may have come from further in: every 5xx where
// the profile names a host behind the first, else those by which a gateway says
// that it got no answer. A 500 alone is the answering process's own.
func (question *Case) Fives() float64 {
	n := 0.0
	for code, k := range question.Statuses {
		if code >= 500 && (len(question.Hops) > 1 || code >= 502 && code <= 504) {
			n += k
		}
	}
	return min(n, question.Parts.Fault[attack.Status])
}

func (question *Case) Fours() float64 {
	n := 0.0
	for code, k := range question.Statuses {
		if code >= 400 && code < 500 && code != 408 && code != 429 {
			n += k
		}
	}
	return n
}

// Shares reports whether a host is the first hop or the machine that it is part
// of.
func (question *Case) Shares(host string) bool { return question.Hops[0].Has(host) }

// ConnectionFault reports whether an established connection failed under a
// request; a stream or a status that is not expected leaves it whole.
func ConnectionFault(x *attack.Failure) bool {
	switch x.Fault {
	case attack.Status, attack.HTTP2Reset, attack.HTTP2GoAway:
		return false
	}
	return x.Phase != attack.PhaseIdle && x.Phase > attack.PhaseTLS && x.Fault.Failure()
}

// GatewayFault reports whether a gateway got no answer from further in. Its own
// connections rest as long as the client's do.
func GatewayFault(x *attack.Failure) bool {
	return x.Fault == attack.Status && (x.Status == 502 || x.Status == 504)
}

// Multiplexed reports whether requests share connections, as HTTP/2 faults tell: then
// the pool of connections does not bound them.
func (question *Case) Multiplexed() bool {
	return question.Target.Total.Fault[attack.HTTP2Reset]+question.Target.Total.Fault[attack.HTTP2GoAway] > 0
}

// Durations returns how long the failures that count had taken, in seconds.
func (question *Case) Durations(counts func(*attack.Failure) bool) []float64 {
	var took []float64
	for _, x := range question.Failures {
		if counts(x) {
			took = append(took, (x.End - x.Start).Seconds())
		}
	}
	return took
}

// LateRefusals returns the median time after which requests were refused (503, or
// the connection closed while they waited), in seconds, NaN with too few, and
// whether nearly all took just that, longer than answers do.
func LateRefusals(c *Case) (median float64, late bool) {
	counts := func(x *attack.Failure) bool {
		return x.Fault == attack.Status && (x.Status == 500 || x.Status == 502 || x.Status == 503) ||
			ConnectionFault(x) && x.Fault != attack.Timeout && x.Phase == attack.PhaseAwait
	}
	took := c.Durations(counts)
	// Those of one instant took as long as each other, whatever they waited for.
	instants := map[time.Duration]bool{}
	for _, x := range c.Failures {
		if counts(x) {
			instants[x.End.Truncate(250*time.Millisecond)] = true
		}
	}
	if len(took) < 8 || len(instants) < 4 {
		return math.NaN(), false
	}
	median = QuantileOf(took, 0.5)
	tight := QuantileOf(took, 0.9)-QuantileOf(took, 0.1) <= 0.1*median
	return median, tight && median >= max(0.05, 1.2*c.AnswerTime())
}

// AnswerTime returns the median time to an expected answer at light load, in
// seconds; 0 without any.
func (question *Case) AnswerTime() float64 {
	var all attack.Histogram
	for _, w := range question.Target.Windows {
		if t := (float64(w.Index) + 0.5) * question.Run.Step; question.Onset.Status != Found || t < 0.7*question.At {
			all = all.Merge(w.FromSend)
		}
	}
	if all.Total() == 0 {
		return 0
	}
	v, _ := all.Quantile(0.5)
	return words.Microseconds(v).Seconds()
}

// Spell is a stretch of time, in seconds, in which nearly everything failed.
type Spell struct{ From, To float64 }

// Spells returns the stretches in which nearly everything failed, each ended by
// better times; none if many windows were neither good nor bad.
func Spells(c *Case) []Spell {
	var out []Spell
	bad, between, all := 0, 0.0, 0.0
	for i := range c.Run.N {
		if c.Target.Attempts[i] < 4 {
			continue
		}
		all++
		switch share := c.Target.Failed[i] / c.Target.Attempts[i]; {
		case share >= 0.8:
			bad++
			continue
		case share > 0.1:
			between++
			continue
		}
		if bad >= 2 {
			out = append(out, Spell{From: c.Run.Seconds(float64(i - bad)), To: c.Run.Seconds(float64(i))})
		}
		bad = 0
	}
	if between > 0.15*all {
		return nil
	}
	return out
}

func (question *Case) Total(f attack.Fault) float64 { return question.Target.Total.Fault[f] }

// Mixture words the faults of the run, most frequent first.
func Mixture(c *Case) string {
	type part struct {
		f attack.Fault
		n float64
	}
	var parts []part
	for f := range attack.Fault(attack.Faults) {
		if n := c.Target.Total.Fault[f]; n > 0 && f.Failure() {
			parts = append(parts, part{f, n})
		}
	}
	slices.SortStableFunc(parts, func(x, y part) int { return cmp.Compare(y.n, x.n) })
	var said []string
	for _, p := range parts {
		said = append(said, format.Number(p.n)+" "+p.f.String()+Codes(c, p.f))
	}
	if len(said) == 0 && c.Target.Total.Idle > 0 {
		said = append(said, format.Counted(c.Target.Total.Idle, "reset")+" of connections at rest")
	}
	return strings.Join(said, ", ")
}

// Language returns what is spoken to the target.
func (question *Case) Language() profiles.Spoken {
	return profiles.Target{URL: question.Target.Info.URL}.Speaks()
}

// Codes names the commonest statuses of unexpected answers.
func Codes(c *Case, f attack.Fault) string {
	if f != attack.Status || !c.Language().OverHTTP() {
		return ""
	}
	times := map[uint16]int{}
	for _, x := range c.Failures {
		if x.Fault == attack.Status {
			times[x.Status]++
		}
	}
	if len(times) == 0 {
		return ""
	}
	often := slices.SortedFunc(maps.Keys(times), func(x, y uint16) int {
		return cmp.Or(cmp.Compare(times[y], times[x]), cmp.Compare(x, y))
	})
	var words []string
	for _, code := range often[:min(3, len(often))] {
		words = append(words, c.Answered(code))
	}
	return " (" + strings.Join(words, ", ") + ")"
}

// OneRequest says that nearly all failures are of one of several requests, which
// most are not.
func OneRequest(c *Case) string {
	all := c.Target.Info.Endpoints
	if len(all) < 2 || len(c.Failures) < 5 {
		return ""
	}
	times := make([]float64, len(all))
	for _, x := range c.Failures {
		if int(x.Endpoint) < len(times) && x.Phase != attack.PhaseIdle && !x.Held {
			times[x.Endpoint]++
		}
	}
	most := slices.Index(times, slices.Max(times))
	if n := Sum(times); times[most] < 0.9*n || all[most].Share > 0.6 || n < 5 {
		return ""
	}
	return fmt.Sprintf("%s of %s failures are of %s, %s of the requests", format.Number(times[most]), format.Number(Sum(times)), all[most].Name, format.Percent(all[most].Share))
}

// Pattern says what failures that are spread over time have in common: the age of
// their connections, the requests that these had served, or the distance from one
// failed request to the next. It names the rule that somebody follows.
func Pattern(c *Case) string {
	var when, age, served, number []float64
	for _, x := range c.Failures {
		if x.Phase <= attack.PhaseTLS || x.Phase == attack.PhaseIdle || x.Fault == attack.HTTP2Reset || x.Fault == attack.HTTP2GoAway {
			continue
		}
		old := x.Conn.Age
		if x.Fault == attack.Timeout {
			old -= x.End - x.Start // when the request went out: it then waited as long as the client does
		}
		when = append(when, x.End.Seconds())
		age = append(age, old.Seconds())
		served = append(served, float64(x.Conn.Served))
		number = append(number, float64(x.Request))
	}
	if len(when) < 8 || float64(len(when)) < 0.8*float64(len(c.Failures)) || slices.Max(when)-slices.Min(when) < 3 {
		return ""
	}
	slices.Sort(number)
	var gaps []float64
	for i := 1; i < len(number); i++ {
		gaps = append(gaps, number[i]-number[i-1])
	}
	middle := func(v []float64) (low, median, high float64) {
		slices.Sort(v)
		return quantileOfSorted(v, 0.05), quantileOfSorted(v, 0.5), quantileOfSorted(v, 0.95)
	}
	if low, n, high := middle(served); n >= 5 && high-low <= max(1, 0.03*n) {
		return fmt.Sprintf("they hit connections that had served %s requests", words.Between(low, high))
	}
	if low, t, high := middle(age); t >= 0.5 && high-low <= max(0.05*t, 0.05) {
		return fmt.Sprintf("they hit connections that were %s old", format.Seconds(t))
	}
	if low, n, high := middle(gaps); n >= 5 && high-low <= max(1, 0.03*n) {
		return fmt.Sprintf("one request in %s failed, at regular distances", format.Number(n))
	}
	return ""
}

const (
	FewAttempts  = 30  // below, nothing can be concluded
	CandidateAt  = 0.1 // posterior of what an ambiguous verdict names
	MostOfThese  = 3
	MostExcluded = 10
	MostEvidence = 12
)

// Accepted reports whether the target counts transactions that were accepted, until they are
// done, and no exchanges.
func (question *Case) Accepted() bool {
	return question.Target.Info.Part == profiles.RoleCompletion
}

func (question *Case) Name() string {
	if question.Target.Info.Name == "" {
		return "the target"
	}
	return question.Target.Info.Name
}

// Hidden says what kept the cause from being seen, empty if nothing did.
func Hidden(c *Case) string {
	if c.Onset.Status == NoOnset {
		return ""
	}
	if missing := c.Run.windowGap(c.Target, c.Onset.At); missing > 0 {
		return fmt.Sprintf("The record has no windows for %s around it.", format.Seconds(missing))
	}
	for _, h := range c.Watchable() {
		var gaps, all int
		longest := 0.0
		for _, r := range c.Run.Resources {
			if !h.Has(r.Metric.Host) || GeneratorOwn(r.Metric) || r.Metric.Host == LocalHost && h.Host != LocalHost {
				continue
			}
			all++
			if g := c.Run.GapAt(r, c.Onset.At); g != nil {
				gaps++
				longest = max(longest, g.To-g.From)
			}
		}
		if all > 0 && 2*gaps >= all {
			return fmt.Sprintf("The probes of %s were silent for %s around it, so no resource there can be blamed or ruled out.", h.Host, format.Seconds(longest))
		}
	}
	return ""
}

// ProcessesOf counts the processes of a name that were watched on a hop.
func ProcessesOf(c *Case, h Hop, name string) int {
	pids := map[int32]bool{}
	for _, s := range c.Run.Log.Series {
		if m := s.Metric; h.Has(m.Host) && m.Process == name && m.PID != 0 {
			pids[m.PID] = true
		}
	}
	return len(pids)
}

func (question *Case) SentBetween(from, to float64) float64 {
	return Sum(question.Target.Attempts[question.Run.Window(from):min(question.Run.Window(to)+1, len(question.Target.Attempts))])
}

// The parameters of the ranking, as the design measured them.
const (
	PriorAll     = 0.8 // shared by all causes that are considered
	PriorNone    = 0.2 // something that nobody watched
	ModelError   = 0.25
	ExplainsAt   = 0.8
	ExplainsRest = 0.95 // what is left when nothing else fits: the next unseen fault may look like it
	ExplainsBy   = 10.0
	TauHard      = 1.0
	TauUse       = 2.0
	TauCounter   = 0.5
	PenaltyFull  = -4.0 // always full
	PenaltyRoom  = -6.0 // never near its limit
	PenaltyNear  = -1.0 // near it, but not at it
	PenaltyFlat  = -3.0 // its own counter exists and stays flat
	PenaltyGuess = -0.7 // the limit is inferred
	PenaltyLoose = -4.0 // a plateau that is not pinned follows something else
	PenaltyBlind = -1.5 // nothing measured it: at most a candidate
	PenaltyTouch = -1.0 // full again and again only
)

// Case is the question of one target, what caused its faults, with all that bears on
// it: the faults since the onset, the hops that serve it, what kernels saw.
type Case struct {
	Run      *Run
	Target   *Target
	Onsets   []Onset
	Onset    *Onset
	At       float64 // seconds: when faults began to happen
	Sigma    float64
	From, To float64 // seconds: the time that the faults are read from
	Parts    composition
	Statuses map[uint16]float64
	IdleAge  attack.Histogram
	IdleFrom float64 // seconds: shortest rest of failed connections
	Failures []*attack.Failure
	Hops     []Hop
	Routers  []string // hosts of the path
	Beside   []string // what is known of instances that serve beside the one that is asked
	Facts    []*Facts
	Wires    []WireView
	Dead     [][]Death // by hop
	Loopback bool
	Censored bool // the generator was the limit before it could show
	Address  *badAddress
	Common   []string         // what nearly all failures have in common
	Said     []answers.Answer // what they were answered: a sample
	Heard    []Heard          // what that says, the commonest first, and then what logs say
	Spoken   []spoken.Joined  // what logs say of the failures, the commonest first
	// BySent and ByReceived are sizes that part what fails from what does not; nil: none does.
	BySent, ByReceived *Split
	Contrast           []contrast
	Way                *waiting.Way // where requests stood from hop to hop; nil: not seen
	Reach              []reach.Hop  // how far failed requests got; nil: not seen
}

// Answered names a status as the target's protocol does: 503, or grpc unavailable.
func (question *Case) Answered(status uint16) string {
	for _, x := range question.Failures {
		if x.Status == status && x.Fault == attack.Status && x.Detail.HTTPStatus() == status {
			return x.Detail.String()
		}
	}
	return strconv.Itoa(int(status))
}

// Faulty reports whether there is something to explain.
func (question *Case) Faulty() bool {
	if question.Onset == nil {
		return false
	}
	return question.Onset.Status != NoOnset || question.Target.Total.Failed >= 2 || question.Target.Total.Restless()
}

// Listens reports whether a listener, as its instance names it ("*:8080"), may be
// that of a hop: of the first hop the port is known.
func (question *Case) Listens(instance string, h Hop) bool {
	i := strings.LastIndexByte(instance, ':')
	if i < 0 {
		return true
	}
	port, err := strconv.ParseUint(instance[i+1:], 10, 16)
	if err != nil {
		return true
	}
	if h.Station != nil {
		return uint16(port) == h.Station.Port
	}
	own := PortsOf(question, Hop{})[uint16(port)]
	return own == (h.Index == 0 && !question.Fronts(h))
}

func TowardsTarget(c *Case, instance string) bool {
	for _, addr := range c.Run.Addresses(c.Target) {
		if instance == addr.String() {
			return true
		}
	}
	return false
}

// ServesOther reports whether a host serves another target and not this one.
func ServesOther(c *Case, host string) bool {
	if slices.Contains(c.Target.Info.Hosts, host) {
		return false
	}
	for _, h := range c.Hops {
		if h.Has(host) {
			return false
		}
	}
	for _, t := range c.Run.Targets {
		if t != c.Target && slices.Contains(t.Info.Hosts, host) {
			return true
		}
	}
	return false
}
