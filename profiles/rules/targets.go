package rules

import (
	"math"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
)

// targetRules checks targets: where they are and what they share.
type targetRules struct{ *validator }

func (v targetRules) targets() {
	targets := v.profile.Targets
	switch {
	case len(targets) == 0 && len(v.profile.Journeys) == 0:
		v.add("targets", "there is no target: write one, such as targets: [{name: orders, url: http://127.0.0.1:8080}]")
	case len(targets) > maxTargets:
		v.add("targets", "%d targets are more than %d: spread them over several profiles", len(targets), maxTargets)
	}
	seen := make(map[string]bool)
	for i, t := range targets {
		if t.Journey > 0 {
			continue // see journeys
		}
		path := at("targets", i)
		switch {
		case t.Name == "":
			v.add(path, "the target has no name: write one, such as name: orders")
		case !v.name(path+".name", t.Name):
		case seen[t.Name]:
			v.add(path+".name", "a second target is called %q: give each target its own name", t.Name)
		}
		seen[t.Name] = true
		v.target(path, t)
	}
	journeyRules(v).journeys()
	v.shares()
}

func (v targetRules) target(path string, t profiles.Target) {
	switch {
	case t.File != "" && (t.URL != "" || len(t.Requests) > 0):
		v.add(path+".file", "the file says where requests go: leave out url and requests, or file")
	case t.File == "" && t.URL == "":
		v.add(path, "the target has no url: write one, such as url: http://127.0.0.1:8080")
	case t.File == "":
		v.url(path+".url", t.URL)
		requestRules(v).requests(path+".requests", t)
		if !v.ofJourney {
			callRules(v).calls(path+".requests", t)
		}
	}
	scriptRules(v).spoken(path, t)
	callRules(v).grpc(path, t)
	scriptRules(v).webSocket(path, t)
	if !v.ofJourney {
		completionRules(v).completion(path, t)
	}
	v.connectTo(path, t)
	seen := make(map[string]bool)
	for i, name := range t.Hosts {
		if seen[name] {
			v.add(at(path+".hosts", i), "host %q is there twice: name each host once", name)
		}
		seen[name] = true
		known := v.hostNames()
		if !slices.Contains(known, name) {
			v.add(at(path+".hosts", i), "host %q is not among the hosts below%s", name, suggestHost(name, known))
		}
	}
	if len(t.Expect) == 0 && t.Speaks().OverHTTP() {
		v.add(path+".expect", "no status counts as success: write some, such as expect: 2xx")
	}
	for _, r := range t.Expect {
		if t.Speaks() == profiles.SpeaksGRPC {
			callRules(v).grpcStatus(path+".expect", r)
		} else if r.IsGRPC() && r.Low >= 0 {
			v.add(path+".expect", "%s is a status of gRPC, and the target speaks HTTP: write one such as 2xx or 404", profiles.GRPCStatusName(r.Low))
		} else if r.Low == r.High && (r.Low < 100 || r.Low > 599) {
			v.add(path+".expect", "%d is not an HTTP status: write one from 100 to 599, such as 404", r.Low)
		} else if r.Low < 100 || r.High > 599 || r.Low > r.High {
			v.add(path+".expect", "%d to %d are not HTTP statuses: write some from 100 to 599, such as 2xx or 404", r.Low, r.High)
		}
	}
}

// connectTo checks where connections go instead of the URL's host, and the TLS name.
func (v targetRules) connectTo(path string, t profiles.Target) {
	scheme := schemeOf(t)
	if u, err := url.Parse(t.URL); t.ServerName != "" && err == nil && !profiles.WantsTLS(u) && scheme != "" {
		v.add(path+".tls", "a server name is of TLS, and the url is %s: write a url with TLS, such as https, or leave out tls", scheme)
	}
	if t.ConnectTo == "" {
		return
	}
	host, port, err := net.SplitHostPort(t.ConnectTo)
	switch {
	case err != nil || host == "" || !validPort(port) || strings.ContainsAny(t.ConnectTo, "/@?#"):
		v.add(path+".connect-to", "%s is no host and port: write both, such as 10.0.0.7:8443", spelling.Quote(t.ConnectTo))
	case scheme == "unix":
		v.add(path+".connect-to", "the url names a socket, which is where connections go: leave out connect-to")
	case v.profile.Client.Proxy && t.Speaks().OverHTTP():
		v.add(path+".connect-to", "with client.proxy the proxy connects: leave out connect-to, or write proxy: none")
	}
}

func (v targetRules) hostNames() []string {
	names := []string{profiles.LocalHost}
	for _, h := range v.profile.Hosts {
		if h.Name != "" && h.Name != profiles.LocalHost {
			names = append(names, h.Name)
		}
	}
	return names
}

func suggestHost(name string, known []string) string {
	if near := spelling.Nearest(name, known); near != "" {
		return "; did you mean \"" + near + "\"?"
	}
	return ": add hosts: [{name: " + plainName(name) + "}]"
}

// maxURL bounds a base URL: many servers take no longer request line.
const maxURL = 8000

// url checks a target's base URL.
func (v targetRules) url(path, text string) {
	if len(text) > maxURL {
		v.add(path, "%s is longer than %d characters: put what is variable into the path of a request", spelling.Quote(text), maxURL)
		return
	}
	u, err := url.Parse(text)
	scheme, known := profiles.SchemeOf(text)
	switch {
	case err != nil || strings.IndexFunc(text, isControl) >= 0:
		v.add(path, "%s is not a URL: write one such as http://127.0.0.1:8080", spelling.Quote(text))
	case u.Scheme == "unix":
		const longest = 107 // sun_path of unix(7), less its NUL
		if u.Host != "" || len(u.Path) < 2 {
			v.add(path, "%s names no socket: write three slashes, as in unix:///run/orders.sock", spelling.Quote(text))
		} else if len(u.Path) > longest {
			v.add(path, "the path of a Unix socket has at most %d bytes: write a shorter one", longest)
		}
	case !known:
		if strings.Contains(text, "://") {
			v.add(path, "%s is not spoken here: write %s", spelling.Quote(u.Scheme), profiles.SchemeList())
		} else {
			v.add(path, "%s has no scheme: write http://%s", spelling.Quote(text), strings.TrimLeft(text, "/"))
		}
	case u.Hostname() == "":
		v.add(path, "%s names no host: write one such as http://127.0.0.1:8080", spelling.Quote(text))
	case u.Port() != "" && !validPort(u.Port()):
		v.add(path, "port %s is not from 1 to 65535: write one such as http://127.0.0.1:8080", u.Port())
	case u.Fragment != "" || (u.RawQuery != "" || u.ForceQuery) && !scheme.Speaks.HasQuery():
		v.add(path, "%s has a query or fragment: write it into a request, such as GET /orders?page=2", spelling.Quote(text))
	default:
		scriptRules(v).location(path, text, u, scheme)
	}
}

func validPort(text string) bool {
	port, err := strconv.Atoi(text)
	return err == nil && port >= 1 && port <= 65535
}

func isControl(r rune) bool { return r <= ' ' || r == 0x7f }

func (v requestRules) requests(path string, t profiles.Target) {
	requests := t.Requests
	switch {
	case len(requests) == 0:
		_, example := languageOf(t.Speaks())
		v.add(path, "the target has no requests: write one, such as %s", strings.TrimSuffix(strings.TrimPrefix(example, "requests: ["), "]"))
	case len(requests) > maxRequests:
		v.add(path, "%d requests are more than %d: put them into a file and write file: requests.http", len(requests), maxRequests)
		return
	}
	for i, r := range requests {
		scriptRules(v).requestOf(at(path, i), t, r)
	}
}

func (v requestRules) request(path string, r profiles.Request) {
	if r.Filled {
		r = v.filled(path, r)
	}
	if r.Method == "CONNECT" {
		v.add(path+".method", "CONNECT opens a tunnel and is no load: write another method, such as GET")
	} else if !isToken(r.Method) || r.Method != strings.ToUpper(r.Method) {
		method := strings.ToUpper(r.Method)
		if !isToken(method) {
			method = "GET"
		}
		v.add(path+".method", "%s is not a method: write it as %s", spelling.Quote(r.Method), method)
	}
	v.path(path+".path", r.Method, r.Path)
	if r.Call != nil {
		callRules(v).metadata(path+".metadata", r)
	} else {
		for i, h := range r.Headers {
			v.header(at(path+".headers", i), h)
		}
	}
	if r.Body != "" && r.BodyFile != "" {
		v.add(path+".body-file", "the request has a body and a body-file: leave out one of them")
	}
	v.parts(path+".multipart", r)
	bodiless := r.Body == "" && r.BodyFile == "" && len(r.Parts) == 0
	switch {
	case r.Template && len(r.Parts) > 0:
		v.add(path+".template", "a template is of a body, and this one is multipart: leave out one of them")
	case r.Template && bodiless:
		v.add(path+".template", "there is no body to fill in: write a body, or leave out template")
	case r.Template:
		v.template(path+".body", r.Body)
	}
	if r.Chunked && bodiless {
		v.add(path+".chunked", "there is no body to send in chunks: write a body, or leave out chunked")
	}
	if v.finite(path+".weight", r.Weight) && r.Weight <= 0 {
		v.add(path+".weight", "a weight of %v is never sent: write a positive number, or leave out the request", r.Weight)
	}
}

// parts checks the parts of a multipart body.
func (v requestRules) parts(path string, r profiles.Request) {
	if len(r.Parts) > 0 && (r.Body != "" || r.BodyFile != "") {
		v.add(path, "the request has a body and multipart: leave out one of them")
	}
	for i, part := range r.Parts {
		bad := func(r rune) bool { return r < ' ' || r == 0x7f }
		switch at := at(path, i); {
		case part.Name == "":
			v.add(at, "the part has no name: write one, such as {name: photo, file: cat.png}")
		case strings.IndexFunc(part.Name+part.Type, bad) >= 0:
			v.add(at, "name and type of a part have no line breaks or control characters: leave them out")
		case part.Value != "" && part.File != "":
			v.add(at, "the part has a value and a file: leave out one of them")
		}
	}
}

func (v requestRules) path(path, method, text string) {
	if text == "" || text == "*" && method == "OPTIONS" {
		return
	}
	_, err := url.ParseRequestURI("/" + text)
	switch {
	case text[0] != '/' && text[0] != '?':
		v.add(path, "the path %s does not begin with /: write /%s", spelling.Quote(text), text)
	case err != nil || strings.IndexFunc(text, isControl) >= 0:
		v.add(path, "the path %s cannot be part of a URL: write blanks as %%20 and percent signs as %%25", spelling.Quote(text))
	case strings.Contains(text, "#"):
		v.add(path, "the path %s has a fragment, which is never sent: leave it out, or write # as %%23", spelling.Quote(text))
	}
}

// header checks one header. Some are not the profile's to set.
func (v requestRules) header(path string, h profiles.Header) {
	switch strings.ToLower(h.Name) {
	case "content-length":
		v.add(path, "Content-Length follows from the body: leave it out")
	case "transfer-encoding":
		v.add(path, "Transfer-Encoding is set by the client: write chunked: true instead")
	case "x-transaction-id", "traceparent", "x-vegeta-seq":
		v.add(path, "%s is set by rampload for every request: leave it out", h.Name)
	case "expect":
		v.add(path, "Expect is set by the client: write expect-continue: true under client instead")
	default:
		if !isToken(h.Name) {
			v.add(path, "%s is not a header name: write letters, digits and \"-\", as in X-Tenant", spelling.Quote(h.Name))
		}
	}
	bad := func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
	if strings.IndexFunc(h.Value, bad) >= 0 {
		v.add(path, "the value of %s has line breaks or control characters: write it on one line", spelling.Cite(h.Name))
	}
}

// isToken reports whether the text is a token of RFC 9110, section 5.6.2.
func isToken(text string) bool {
	return text != "" && strings.IndexFunc(text, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && (r >= 0x80 || !strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	}) < 0
}

// template checks the body of a template.
func (v requestRules) template(path, body string) {
	if err := checkTemplate(body); err != nil {
		v.add(path, "%s", err)
	}
}

// shares checks that the shares of all targets are one whole.
func (v targetRules) shares() {
	sum := 0.0
	for i, t := range v.profile.Targets {
		path := at("targets", i, "share")
		if t.Journey > 0 {
			path = at("journeys", t.Journey-1, "share")
		}
		switch {
		case !v.finite(path, t.Share):
			return
		case t.Share < 0 || t.Share > 1:
			v.add(path, "a share of %s is not from 0%% to 100%%: write one such as 70%%", spelling.FormatPercent(t.Share))
			return
		}
		sum += t.Share
	}
	for i, t := range v.profile.Targets {
		switch {
		case t.Step > 0:
		case t.Share == 0:
			v.add(at("targets", i), "no share of the load is left for target %s: lower the shares of the others", spelling.Cite(t.Name))
			return
		case math.Abs(sum-1) <= profiles.ShareTolerance:
		case journeyRules(v).lastShare(i):
			v.add(at("targets", i, "share"), "all shares add up to %s: make them 100%%, or leave one out to give it the rest", spelling.FormatPercent(math.Round(sum*1e6)/1e6))
		}
	}
}
