package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/ramp"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/report/format"

	"github.com/rampload/rampload/cmd/internal/preflight"
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
	if err := preflight.ReadSchemas(ctx, p); err != nil {
		return err
	}
	id := attack.NewRunID()
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
	fmt.Fprintf(o.w, "%s sent, %s failed\n", format.Counted(o.sent, "request"), format.Number(float64(o.failed)))
	if o.failed > 0 {
		return console.NotRun(fmt.Errorf("%s of %s failed: their answers are above", format.Number(float64(o.failed)), format.Counted(o.sent, "request")))
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
		fmt.Fprintf(o.w, "target %s has %s more, which are not sent once\n\n", t.Name, format.Counted(skipped, "request"))
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
		o.show(ctx, cfg.Profile, r, a)
	}
	return nil
}

// show writes one exchange as curl -v would: what was sent, status, headers, the beginning
// of the body, and a line on time and connection.
func (o *once) show(ctx context.Context, t profiles.Target, r profiles.Request, a attack.Attempt) {
	line, fields, sent := asked(a.Reply.Sent)
	what := r.Method + " " + t.URL + r.Path
	switch {
	case !t.Speaks().OverHTTP() || r.Call != nil:
		what = t.URL + "  " + r.Label()
	case len(line) == 3: // method, path, version
		what = line[0] + " " + atHost(t.URL, line[1])
	case strings.HasPrefix(r.Path, "/"):
		what = r.Method + " " + strings.TrimSuffix(t.URL, "/") + r.Path
	}
	fmt.Fprintf(o.w, "%s  %s\n", t.Name, withoutControls(o.redact.Redact(what)))
	for _, h := range fields {
		o.header(">", h)
	}
	if len(sent) > 0 {
		o.said(">", sent, len(sent))
	}
	o.turns(a.Reply)
	if a.Status > 0 {
		fmt.Fprintf(o.w, "< %s\n", strings.TrimSpace(fmt.Sprintf("%s %d %s", a.Reply.Version, a.Status, http.StatusText(int(a.Status)))))
	}
	coded := false
	for _, h := range a.Reply.Headers {
		coded = coded || strings.EqualFold(h.Name, "Content-Encoding") && !strings.EqualFold(h.Value, "identity")
		o.header("<", h)
	}
	if body := o.body(a.Reply, coded); body != "" {
		fmt.Fprintln(o.w, body)
	}
	why := ""
	if a.Answer != nil {
		why = withoutControls(o.redact.Redact(a.Answer.Why))
	}
	fmt.Fprintf(o.w, "%s\n", ending(t, a, why))
	if what := preflight.Mistaken(ctx, t, a); what != "" {
		fmt.Fprintln(o.w, what)
	}
	fmt.Fprintln(o.w)
}

// asked takes a request that was sent apart: its line, its headers and its body.
func asked(sent []byte) (line []string, fields []attack.AnswerHeader, body []byte) {
	head, body, _ := bytes.Cut(sent, []byte("\r\n\r\n"))
	for i, text := range strings.Split(string(head), "\r\n") {
		if i == 0 {
			line = strings.Fields(text)
			continue
		}
		name, value, _ := strings.Cut(text, ": ")
		fields = append(fields, attack.AnswerHeader{Name: name, Value: value})
	}
	return line, fields, body
}

// atHost is a path as it was sent, at the host of a URL.
func atHost(base, path string) string {
	u, err := url.Parse(base)
	if err != nil || !strings.HasPrefix(path, "/") { // through a plain proxy it is whole
		return path
	}
	return u.Scheme + "://" + u.Host + path
}

// header shows one header field of either side.
func (o *once) header(mark string, h attack.AnswerHeader) {
	value := h.Value
	if redaction.SensitiveHeader(h.Name) {
		value = "REDACTED"
	}
	fmt.Fprintf(o.w, "%s %s: %s\n", mark, withoutControls(h.Name), withoutControls(o.redact.Redact(value)))
}

// turns shows what was said by both sides, in the order in which it was.
func (o *once) turns(r *attack.Reply) {
	for _, t := range r.Turns {
		mark := "<"
		if t.Ours {
			mark = ">"
		}
		o.said(mark, t.Data, t.Size)
	}
}

// said shows what one side said, or its beginning of that size in all.
func (o *once) said(mark string, data []byte, size int) {
	data = data[:min(len(data), onceBody)]
	text, ok := readable(data)
	if !ok {
		fmt.Fprintf(o.w, "%s (%s that are no plain text) %x\n", mark, format.Counted(size, "byte"), data[:min(len(data), onceHex)])
		return
	}
	text = strings.TrimRight(o.redact.Redact(text), " \n")
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(o.w, "%s %s\n", mark, line)
	}
	if more := size - len(data); more > 0 {
		fmt.Fprintf(o.w, "(and %s more)\n", format.Counted(more, "byte"))
	}
}

// body returns what is shown of a body.
func (o *once) body(r *attack.Reply, coded bool) string {
	if len(r.Body) == 0 {
		return ""
	}
	text, ok := readable(r.Body)
	if coded || !ok {
		return fmt.Sprintf("(%s that are no plain text)", format.Counted(int(r.Length), "byte"))
	}
	text = strings.TrimRight(o.redact.Redact(text), " \n")
	if more := r.Length - int64(len(r.Body)); more > 0 {
		text += fmt.Sprintf("\n(and %s more)", format.Counted(int(more), "byte"))
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
		fmt.Fprintf(&b, "answered in %s", format.Seconds(took.Seconds()))
	case attack.Status:
		fmt.Fprintf(&b, "FAILED: %s; answered in %s", unexpected(t, a, why), format.Seconds(took.Seconds()))
	default:
		fmt.Fprintf(&b, "FAILED: %s in phase %s", a.Fault, a.Phase)
		if !a.Detail.IsZero() {
			fmt.Fprintf(&b, " (%s)", a.Detail)
		}
		fmt.Fprintf(&b, " after %s", format.Seconds(took.Seconds()))
		if why != "" {
			fmt.Fprintf(&b, ": %s", why)
		}
	}
	fmt.Fprintf(&b, ", %s", format.Counted(int(a.Reply.Length), "byte"))
	c := a.Conn
	switch {
	case c.ID == 0:
		return b.String() + ", no connection"
	case c.Reused:
		fmt.Fprintf(&b, "; connection used before")
	case took > c.Age:
		fmt.Fprintf(&b, "; new connection, ready after %s", format.Seconds((took - c.Age).Seconds()))
	default:
		fmt.Fprintf(&b, "; new connection")
	}
	if c.Remote.IsValid() {
		fmt.Fprintf(&b, ", %s to %s", c.Local, c.Remote)
	}
	return b.String()
}

// unexpected says why an answer is none that is expected; why is of its content, if it is
// that.
func unexpected(t profiles.Target, a attack.Attempt, why string) string {
	switch {
	case !t.Speaks().OverHTTP() && a.Status != 0:
		return fmt.Sprintf("the opening handshake is answered with status %d, not 101", a.Status)
	case why != "" && a.Detail.Kind == attack.ServerDetail && a.Detail.Code != attack.UnexpectedReply:
		return fmt.Sprintf("%s (%s)", why, a.Detail)
	case why != "":
		return why
	case !t.Speaks().OverHTTP():
		return fmt.Sprintf("the answer is not the expected one (%s)", a.Detail)
	case a.Detail.Kind == attack.GRPCDetail:
		return a.Detail.String() + " is not expected"
	}
	return fmt.Sprintf("status %d is not expected", a.Status)
}
