package rules

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/command"
	"github.com/rampload/rampload/profiles/spelling"
)

// languages says how requests of each kind of target are written.
func languageOf(speaks profiles.Spoken) (noun, example string) {
	switch speaks {
	case profiles.SpeaksBytes:
		return "scripts", `requests: [{script: [{send: "PING\r\n"}, {expect: "+PONG\r\n"}]}]`
	case profiles.SpeaksRedis:
		return "commands", "requests: [PING, GET key]"
	case profiles.SpeaksWebSocket:
		return "messages", "requests: [hello]"
	case profiles.SpeaksPostgres:
		return "SQL statements", "requests: [SELECT 1]"
	}
	return "HTTP's", "requests: [GET /orders/42]"
}

// scriptRules checks what is sent over raw connections and WebSockets.
type scriptRules struct{ *validator }

// spoken checks what of a target depends on what is spoken to it.
func (v scriptRules) spoken(path string, t profiles.Target) {
	speaks := t.Speaks()
	if len(t.OnConnect) > 0 {
		if speaks != profiles.SpeaksBytes && speaks != profiles.SpeaksWebSocket {
			v.add(path+".on-connect", "a script is for tcp://, tls://, ws:// and wss://: leave it out")
		} else {
			v.script(path+".on-connect", t.OnConnect, scriptOf{begin: true, speaks: speaks})
		}
	}
	if !speaks.OverHTTP() && len(t.Expect) > 0 {
		v.add(path+".expect", "statuses are HTTP's, and the url is %s://: leave expect out", schemeOf(t))
	}
}

// requestOf checks a request in the language of its target.
func (v scriptRules) requestOf(path string, t profiles.Target, r profiles.Request) {
	speaks := t.Speaks()
	if speaks.OverHTTP() {
		if r.Command != "" || len(r.Script) > 0 {
			v.add(path, "the url is http, whose requests have a method and a path: write GET /orders/42, or a url such as tcp:// or redis://")
			return
		}
		requestRules(v).request(path, r)
		return
	}
	if r.Filled {
		r = requestRules(v).filled(path, r)
	}
	noun, example := languageOf(speaks)
	http := profiles.Request{Method: r.Method, Path: r.Path, Body: r.Body, BodyFile: r.BodyFile}
	if http.Method != "" || http.Path != "" || http.Body != "" || http.BodyFile != "" || len(r.Headers) > 0 || len(r.Parts) > 0 || r.Chunked || r.Template {
		v.add(path, "requests of %s:// are %s: write %s", schemeOf(t), noun, example)
		return
	}
	switch speaks {
	case profiles.SpeaksBytes:
		switch {
		case r.Command != "" || len(r.Script) == 0:
			v.add(path, "requests of %s:// are %s: write %s", schemeOf(t), noun, example)
		default:
			v.script(path+".script", r.Script, scriptOf{speaks: speaks})
		}
	case profiles.SpeaksWebSocket:
		switch {
		case len(r.Script) > 0 && r.Command != "", len(r.Script) == 0 && r.Command == "":
			v.add(path, "requests of %s:// are %s: write %s", schemeOf(t), noun, example)
		case len(r.Script) > 0:
			v.script(path+".script", r.Script, scriptOf{speaks: speaks})
		}
	case profiles.SpeaksRedis, profiles.SpeaksPostgres:
		if len(r.Script) > 0 || strings.TrimSpace(r.Command) == "" {
			v.add(path, "requests of %s:// are %s: write %s, or a script over tcp://", schemeOf(t), noun, example)
			return
		}
		v.command(path, speaks, r.Command)
	}
	if v.finite(path+".weight", r.Weight) && r.Weight <= 0 {
		v.add(path+".weight", "a weight of %v is never sent: write a positive number, or leave out the request", r.Weight)
	}
}

// endless are commands whose answers have no end, or that change what a connection is.
func endless() []string {
	return []string{"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR", "SYNC", "PSYNC", "QUIT", "HELLO", "RESET", "MULTI"}
}

// command checks what is asked of a database.
func (v scriptRules) command(path string, speaks profiles.Spoken, text string) {
	if speaks == profiles.SpeaksPostgres {
		if first := strings.ToUpper(strings.Fields(text)[0]); first == "COPY" {
			v.add(path, "COPY sends data beside its statement, which is not spoken here: write INSERT, or SELECT")
		}
		return
	}
	words, err := command.Words(text)
	switch {
	case err != nil:
		v.add(path, "the command %s: %s", spelling.Quote(text), err)
	case len(words) == 0 || words[0] == "":
		v.add(path, "the command is empty: write one such as GET key")
	case slices.Contains(endless(), strings.ToUpper(words[0])):
		v.add(path, "%s has no single answer: write it as a script over tcp://", words[0])
	}
}

// scriptOf is where a script stands.
type scriptOf struct {
	begin  bool // of a connection, which it must leave open
	speaks profiles.Spoken
}

// script checks the turns of a script.
func (v scriptRules) script(path string, script []profiles.Turn, of scriptOf) {
	var held time.Duration
	for i, t := range script {
		path := at(path, i)
		last := i == len(script)-1
		switch t.Kind {
		case profiles.TurnSend, profiles.TurnExpect:
			v.turn(path, t, of.speaks)
		case profiles.TurnHold:
			if held += t.For; t.For <= 0 {
				v.add(path, "a pause of %s is none: write hold: 2s, or leave it out", spelling.FormatDuration(t.For))
			}
		case profiles.TurnPing:
			if of.speaks != profiles.SpeaksWebSocket {
				v.add(path, "ping is WebSocket's: write a send and an expect")
			}
		case profiles.TurnClose, profiles.TurnReset:
			if of.begin {
				v.add(path, "%s would leave no connection for requests: write it at the end of a request's script", t.Kind)
			} else if !last {
				v.add(path, "nothing can follow %s: write it last", t.Kind)
			}
		default:
			v.add(path, "unknown turn %s: write send, expect, hold, close or reset", spelling.Quote(string(t.Kind)))
		}
	}
	if timeout := v.profile.Client.Timeout; timeout > 0 && held >= timeout {
		v.add(path, "the script holds for %s, and an attempt may take %s: raise client.timeout", spelling.FormatDuration(held), spelling.FormatDuration(timeout))
	}
}

// Bounds of a length that is expected, in bytes.
const (
	mostExpected int64 = 1 << 30   // of raw connections: enough for any answer that a load is made of
	mostMessage  int64 = 256 << 20 // of WebSockets, whose longer messages are refused (attack/wire/websocket)
)

// turn checks what is sent or expected.
func (v scriptRules) turn(path string, t profiles.Turn, speaks profiles.Spoken) {
	switch t.By {
	case profiles.ByText, profiles.ByBytes:
		b, err := t.Bytes()
		if err != nil {
			v.add(path, "%s are no bytes: write two hex digits for each, such as \"2b 50 0d 0a\"", spelling.Quote(t.Text))
		} else if len(b) == 0 && speaks != profiles.SpeaksWebSocket { // which has empty messages
			v.add(path, "there is nothing to %s: write some text, or leave it out", t.Kind)
		}
	case profiles.ByLength:
		most := mostExpected
		if speaks == profiles.SpeaksWebSocket {
			most = mostMessage
		}
		switch n, err := strconv.ParseInt(t.Text, 10, 64); {
		case errors.Is(err, strconv.ErrRange), n > most:
			v.add(path, "%s bytes are more than the %d that are read of one answer: write a smaller length", t.Text, most)
		case err != nil || n <= 0:
			v.add(path, "%s is no number of bytes: write one such as length: 9", spelling.Quote(t.Text))
		}
	case profiles.ByLine, profiles.ByRegexp:
		if _, err := regexp.Compile(t.Text); err != nil {
			v.add(path, "%s is no regular expression: %s", spelling.Quote(t.Text), strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		} else if t.By == profiles.ByRegexp && t.Text == "" {
			v.add(path, "an empty expression matches before anything has come: write one, or any: true")
		}
	}
}

// webSocket checks the opening handshake of a target.
func (v scriptRules) webSocket(path string, t profiles.Target) {
	ws := t.WebSocket
	if t.Speaks() != profiles.SpeaksWebSocket {
		if len(ws.Headers) > 0 {
			v.add(path+".headers", "headers of a target are of ws:// and wss://: write them into its requests")
		}
		if len(ws.Subprotocols) > 0 {
			v.add(path+".subprotocols", "they are of ws:// and wss://: leave them out")
		}
		if ws.FirstMessage != 0 {
			v.add(path+".first-message", "it is of ws:// and wss://: leave it out")
		}
		return
	}
	if d := ws.FirstMessage; d < 0 || d > time.Hour {
		v.add(path+".first-message", "%s is not from 1ms to 1h: write one such as 2s, or leave it out", spelling.FormatDuration(d))
	}
	if d := ws.KeepAlive; d != 0 && (d < 100*time.Millisecond || d > time.Hour) {
		v.add(path+".keep-alive", "%s is not from 100ms to 1h: write one such as 30s, or leave it out", spelling.FormatDuration(d))
	}
	for i, h := range ws.Headers {
		path := at(path+".headers", i)
		requestRules(v).header(path, h)
		if name := strings.ToLower(h.Name); name == "connection" || name == "upgrade" || strings.HasPrefix(name, "sec-websocket-") {
			v.add(path, "%s is of the handshake itself, which is made here: leave it out, and write subprotocols for those", h.Name)
		}
	}
	for i, name := range ws.Subprotocols {
		if !isToken(name) || slices.Contains(ws.Subprotocols[:i], name) {
			v.add(at(path+".subprotocols", i), "%s is no subprotocol, or there twice: write each once, such as graphql-transport-ws", spelling.Quote(name))
		}
	}
}

// rightQuery reports whether the query of a postgres URL is understood.
func rightQuery(u *url.URL) bool {
	for key, values := range u.Query() {
		if key != "sslmode" || !slices.Contains([]string{"disable", "require", "verify-ca", "verify-full"}, values[0]) {
			return false
		}
	}
	return true
}

// location checks what of a URL depends on what is spoken.
func (v scriptRules) location(path, text string, u *url.URL, s profiles.Scheme) {
	rest := strings.Trim(u.Path, "/")
	switch {
	case s.Port == 0 && u.Port() == "":
		v.add(path, "%s names no port: write one, such as %s", spelling.Quote(text), s.Example)
	case s.Speaks == profiles.SpeaksBytes && (rest != "" || u.User != nil):
		v.add(path, "%s has more than a host and a port: write %s, and the rest into a script", spelling.Quote(text), s.Example)
	case s.Speaks == profiles.SpeaksRedis && strings.Trim(rest, "0123456789") != "":
		v.add(path, "the database %s is no number: write one such as /0, or leave it out", spelling.Quote(rest))
	case s.Speaks == profiles.SpeaksPostgres && !rightQuery(u):
		v.add(path, "only sslmode=disable, require, verify-ca and verify-full are read of a query, the last three alike: leave the rest of %s out", spelling.Quote("?"+u.RawQuery))
	case s.Speaks == profiles.SpeaksPostgres && u.User.Username() == "":
		v.add(path, "%s names no user: write one, as in %s", spelling.Quote(text), s.Example)
	}
}
