package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/ramp"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/run"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/redaction"
	"github.com/rampload/rampload/report"
)

const (
	onceHex      = 32      // bytes of what is no text that are shown
	onceBody     = 2 << 10 // bytes of each answer's body that are shown
	onceRequests = 100     // of each target that are sent: a targets file has thousands
)

// sendOnce sends each request of each target once, without retries, one after the
// other on kept connections, and shows what was answered. It writes no report. Exit 3
// if a request failed as it would in a run.
func sendOnce(ctx context.Context, env console.Env, p profiles.Profile) error {
	if err := run.ReadSchemas(ctx, p); err != nil {
		return err
	}
	id := run.NewRunID()
	o := &once{fill: ramp.NewFiller(p, id), w: console.Plain(env.Stdout), redact: redaction.Of(p), id: id, start: time.Now()}
	for i, j := range p.Journeys {
		if err := o.journey(ctx, p, i, j); err != nil {
			return err
		}
	}
	for _, t := range p.Targets {
		if t.Journey > 0 {
			continue
		}
		if err := o.target(ctx, p, t); err != nil {
			return err
		}
	}
	fmt.Fprintf(o.w, "%s sent, %s failed\n", console.Counted(o.sent, "request"), report.FormatNumber(float64(o.failed)))
	if o.failed > 0 {
		return console.NotRun(fmt.Errorf("%s of %s failed: their answers are above", report.FormatNumber(float64(o.failed)), console.Counted(o.sent, "request")))
	}
	return nil
}

// once is one sending of everything.
type once struct {
	w      io.Writer
	redact redaction.Redactor
	id     attack.RunID
	fill   *ramp.Filler
	start  time.Time

	sent, failed int
}

func (o *once) target(ctx context.Context, p profiles.Profile, t profiles.Target) error {
	left, skipped := onceRequests, 0
	for _, base := range t.Bases() {
		cfg := attack.ClientConfig{
			Profile: t, Client: p.Client, Data: p.Data, RunID: o.id, Tracing: attack.TracingOf(p.Traces),
			Clock: func() time.Duration { return time.Since(o.start) },
		}
		cfg.Profile.URL, cfg.Profile.Requests, cfg.Profile.File, cfg.Profile.Read = base.URL, base.Requests, "", nil
		requests := base.Requests[:min(len(base.Requests), left)]
		left -= len(requests)
		skipped += len(base.Requests) - len(requests)
		if err := o.base(ctx, cfg, requests); err != nil {
			return err
		}
	}
	if skipped > 0 {
		fmt.Fprintf(o.w, "target %s has %s more, which are not sent once\n\n", t.Name, console.Counted(skipped, "request"))
	}
	return nil
}

func (o *once) base(ctx context.Context, cfg attack.ClientConfig, requests []profiles.Request) error {
	client, err := protocol.Open(cfg)
	if err != nil {
		return console.Usage(fmt.Errorf("target %s: %w", cfg.Profile.Name, err))
	}
	defer client.Close()
	defer context.AfterFunc(ctx, client.Abort)()
	for i, r := range requests {
		compiled, err := client.Compile(r)
		if err != nil {
			return console.Usage(fmt.Errorf("target %s: request %d: %w", cfg.Profile.Name, i+1, err))
		}
		a := attack.Attempt{Request: uint64(o.sent), Reply: &attack.Reply{Limit: onceBody}}
		if !o.fill.Fill(r, &a) {
			return console.Usage(fmt.Errorf("target %s: request %d: a table has no rows left for it", cfg.Profile.Name, i+1))
		}
		client.Do(compiled, &a)
		if ctx.Err() != nil {
			return &console.Error{Code: report.ExitInterrupted, Err: errors.New("interrupted")}
		}
		o.sent++
		if a.Fault != attack.None {
			o.failed++
		}
		o.show(cfg.Profile, r, a, "")
	}
	return nil
}

// show writes one answer as curl would: status, headers, the beginning of the body, and
// a line on time and connection. why says what of its content a step does not expect.
func (o *once) show(t profiles.Target, r profiles.Request, a attack.Attempt, why string) {
	what := r.Method + " " + t.URL + r.Path
	if strings.HasPrefix(r.Path, "/") {
		what = r.Method + " " + strings.TrimSuffix(t.URL, "/") + r.Path
	}
	if !t.Speaks().OverHTTP() || r.Call != nil {
		what = t.URL + "  " + r.Label()
	}
	fmt.Fprintf(o.w, "%s  %s\n", t.Name, o.redact.Redact(what))
	o.turns(a.Reply)
	if a.Status > 0 {
		fmt.Fprintf(o.w, "< %s\n", strings.TrimSpace(fmt.Sprintf("%s %d %s", a.Reply.Version, a.Status, http.StatusText(int(a.Status)))))
	}
	coded := false
	for _, h := range a.Reply.Headers {
		value := h.Value
		if redaction.SensitiveHeader(h.Name) {
			value = "REDACTED"
		}
		coded = coded || strings.EqualFold(h.Name, "Content-Encoding") && !strings.EqualFold(value, "identity")
		fmt.Fprintf(o.w, "< %s: %s\n", withoutControls(h.Name), withoutControls(o.redact.Redact(value)))
	}
	if body := o.body(a.Reply, coded); body != "" {
		fmt.Fprintln(o.w, body)
	}
	fmt.Fprintf(o.w, "%s\n\n", ending(t, a, withoutControls(o.redact.Redact(why))))
}

// turns shows what was said by both sides, in the order in which it was.
func (o *once) turns(r *attack.Reply) {
	for _, t := range r.Turns {
		mark := "<"
		if t.Ours {
			mark = ">"
		}
		text, ok := readable(t.Data)
		if !ok {
			fmt.Fprintf(o.w, "%s (%s that are no plain text) %x\n", mark, console.Counted(t.Size, "byte"), t.Data[:min(len(t.Data), onceHex)])
			continue
		}
		text = strings.TrimRight(o.redact.Redact(text), " \n")
		for line := range strings.SplitSeq(text, "\n") {
			fmt.Fprintf(o.w, "%s %s\n", mark, line)
		}
		if more := t.Size - len(t.Data); more > 0 {
			fmt.Fprintf(o.w, "(and %s more)\n", console.Counted(more, "byte"))
		}
	}
}

// body returns what is shown of a body.
func (o *once) body(r *attack.Reply, coded bool) string {
	if len(r.Body) == 0 {
		return ""
	}
	text, ok := readable(r.Body)
	if coded || !ok {
		return fmt.Sprintf("(%s that are no plain text)", console.Counted(int(r.Length), "byte"))
	}
	text = strings.TrimRight(o.redact.Redact(text), " \n")
	if more := r.Length - int64(len(r.Body)); more > 0 {
		text += fmt.Sprintf("\n(and %s more)", console.Counted(int(more), "byte"))
	}
	return text
}

// readable returns a text without control characters but line ends and tabs, and
// whether it is one: what has NULs, or is not UTF-8 but for a cut at its end, is not.
func readable(b []byte) (string, bool) {
	for cut := 0; cut < utf8.UTFMax && len(b) > 0 && !utf8.Valid(b); cut++ {
		b = b[:len(b)-1]
	}
	if !utf8.Valid(b) || len(b) == 0 {
		return "", false
	}
	odd := 0
	text := strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return -1
		case unicode.IsControl(r):
			odd++
			return -1
		}
		return r
	}, string(b))
	return text, odd == 0 || 10*odd < len(b) && !strings.ContainsRune(string(b), 0)
}

// withoutControls replaces control characters, which a terminal would obey.
func withoutControls(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// ending says how an attempt ended, why its content is not expected, how long it took, and
// over which connection.
func ending(t profiles.Target, a attack.Attempt, why string) string {
	var b strings.Builder
	took := a.End - a.Start
	switch a.Fault {
	case attack.None:
		fmt.Fprintf(&b, "answered in %s", report.FormatSeconds(took.Seconds()))
	case attack.Status:
		if !t.Speaks().OverHTTP() && a.Status != 0 {
			fmt.Fprintf(&b, "FAILED: the opening handshake is answered with status %d, not 101; answered in %s", a.Status, report.FormatSeconds(took.Seconds()))
			break
		}
		if !t.Speaks().OverHTTP() {
			fmt.Fprintf(&b, "FAILED: the answer is not the expected one (%s); answered in %s", a.Detail, report.FormatSeconds(took.Seconds()))
			break
		}
		if a.Detail.Kind == attack.GRPCDetail {
			fmt.Fprintf(&b, "FAILED: %s is not expected; answered in %s", a.Detail, report.FormatSeconds(took.Seconds()))
			break
		}
		if why != "" {
			fmt.Fprintf(&b, "FAILED: %s; answered in %s", why, report.FormatSeconds(took.Seconds()))
			break
		}
		fmt.Fprintf(&b, "FAILED: status %d is not expected; answered in %s", a.Status, report.FormatSeconds(took.Seconds()))
	default:
		fmt.Fprintf(&b, "FAILED: %s in phase %s", a.Fault, a.Phase)
		if !a.Detail.IsZero() {
			fmt.Fprintf(&b, " (%s)", a.Detail)
		}
		fmt.Fprintf(&b, " after %s", report.FormatSeconds(took.Seconds()))
	}
	fmt.Fprintf(&b, ", %s", console.Counted(int(a.Reply.Length), "byte"))
	c := a.Conn
	switch {
	case c.ID == 0:
		return b.String() + ", no connection"
	case c.Reused:
		fmt.Fprintf(&b, "; connection used before")
	case took > c.Age:
		fmt.Fprintf(&b, "; new connection, ready after %s", report.FormatSeconds((took - c.Age).Seconds()))
	default:
		fmt.Fprintf(&b, "; new connection")
	}
	if c.Remote.IsValid() {
		fmt.Fprintf(&b, ", %s to %s", c.Local, c.Remote)
	}
	return b.String()
}
