package parse

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/rampload/rampload/probe"
)

// parseAccess reads a line of an access log in the common and the combined form, with
// whatever follows: nginx, Apache, gunicorn, and Envoy's default. The request stands in
// quotes, and behind it the status.
func parseAccess(line string) (e Entry, ok bool) {
	for from := 0; ; {
		at := strings.IndexByte(line[from:], '"')
		if at < 0 {
			return Entry{}, false
		}
		begin := from + at + 1
		end := strings.IndexByte(line[begin:], '"')
		if end < 0 {
			return Entry{}, false
		}
		end += begin
		status, rest, good := statusAt(line[end+1:])
		if !good {
			from = begin
			continue
		}
		e.Format, e.Status = "access", status
		request := line[begin:end]
		if method, path, found := strings.Cut(request, " "); found {
			path, _, _ = strings.Cut(path, " ")
			path, _, _ = strings.Cut(path, "?")
			request = method + " " + path
		}
		e.Text = fmt.Sprintf("%d to %s", status, request)
		if a, b := strings.IndexByte(line, '['), strings.IndexByte(line, ']'); a >= 0 && b > a && b < begin {
			e.Time = line[a+1 : b]
		}
		if flags, _, _ := strings.Cut(rest, " "); envoyFlags(flags) {
			e.Format = "envoy"
			e.Odd = true
			e.Text += ": " + envoySays(flags)
		}
		server, live := upstreamOf(rest)
		e.Peer = server
		if e.Status >= 400 && e.Format == "access" {
			switch upstream := upstreamStatus(rest); {
			case upstream == "-" || !live:
				e.Text += probe.WrittenBy + "itself"
			case e.Peer != "" && upstream == strconv.Itoa(e.Status):
				e.Text += probe.WrittenBy + e.Peer
			}
		}
		return e, true
	}
}

// statusAt reads a status behind the request.
func statusAt(s string) (status int, rest string, ok bool) {
	if len(s) < 4 || s[0] != ' ' || len(s) > 4 && s[4] != ' ' && s[4] != ',' {
		return 0, "", false
	}
	n, err := strconv.Atoi(s[1:4])
	if err != nil || n < 0 || n > 599 || n < 100 && n != 0 {
		return 0, "", false
	}
	return n, strings.TrimPrefix(s[4:], " "), true
}

// upstreamOf returns the server that a proxy asked last, from what an access log has behind the
// status: $upstream_addr under its usual names, or the upstream host of Envoy. Empty for none. live
// is false where the proxy then found no live server to try, and so answered itself.
func upstreamOf(rest string) (server string, live bool) {
	for _, word := range []string{"upstream=", "upstream_addr=", "ua=\"", "upstream: "} {
		if at := strings.Index(rest, word); at >= 0 {
			v, live := triedLast(strings.Trim(rest[at+len(word):], "\""))
			if v != "-" && (word != "ua=\"" || hasPort(v)) { // ua is the user agent, too
				return v, live
			}
		}
	}
	// Envoy ends with the upstream host in quotes.
	if strings.HasSuffix(rest, "\"") {
		if at := strings.LastIndexByte(rest[:len(rest)-1], '"'); at >= 0 {
			if v := rest[at+1 : len(rest)-1]; strings.Count(v, ":") == 1 && strings.Trim(v, "0123456789.:") == "" {
				return v, true
			}
		}
	}
	return "", true
}

// tries splits a list that begins a text, as nginx writes $upstream_addr and $upstream_status: one
// element for each try, with ", " between servers and " : " between groups of them.
func tries(list string) (out []string) {
	for {
		end := strings.IndexAny(list, " \",")
		if end < 0 {
			end = len(list)
		}
		out = append(out, list[:end])
		next, more := strings.CutPrefix(list[end:], ", ")
		if !more {
			next, more = strings.CutPrefix(list[end:], " : ")
		}
		if !more {
			return out
		}
		list = next
	}
}

// triedLast returns the server that was tried last. A name behind addresses is that of a group in
// which no server was live: live is false, as nobody was tried there.
func triedLast(list string) (server string, live bool) {
	all := tries(list)
	for i := len(all) - 1; i > 0; i-- {
		if strings.Contains(all[i], ":") {
			return all[i], i == len(all)-1
		}
	}
	return all[0], len(all) == 1 || !strings.Contains(all[0], ":")
}

// upstreamStatus returns the status that a proxy had from the server that it asked last, as
// people log $upstream_status; "-": it asked none; "": it does not say.
func upstreamStatus(rest string) string {
	for _, word := range []string{"upstream_status=", "us=", "upstream_addr=-", "upstream=-"} {
		at := strings.Index(rest, word)
		if at < 0 || at > 0 && letter(rest[at-1]) {
			continue
		}
		if strings.Contains(word, "-") {
			return "-"
		}
		all := tries(strings.Trim(rest[at+len(word):], "\""))
		return all[len(all)-1]
	}
	return ""
}

// flagsOf are what Envoy says of a response, by its own short names
// (envoy, "Access logging", RESPONSE_FLAGS).
var flagsOf = map[string]string{
	"UH": "no healthy upstream", "UF": "upstream connect error", "UO": "circuit breaker: pending overflow", "NR": "no route configured", "URX": "upstream retry limit exceeded",
	"LH": "local health check failed", "UT": "upstream request timeout", "LR": "connection reset locally", "UR": "connection reset by upstream (reset reason: remote)",
	"UC": "upstream connection terminated (reset reason: connection termination)", "DC": "downstream connection terminated", "RL": "rate limited", "UAEX": "denied by external authorization",
	"DPE": "downstream protocol error", "UPE": "upstream protocol error", "SI": "stream idle timeout", "DT": "duration timeout", "RLSE": "rate limit service failed", "OM": "overload manager: overloaded",
	"DF": "dns resolution failed", "NC": "upstream cluster not found: no healthy upstream", "FI": "fault injected", "DI": "delay injected", "IH": "invalid header", "UMSDR": "upstream request timeout: longest time of a stream reached", "NFCF": "no filter configuration",
	"RFCF": "invalid answer to a filter", "DO": "upstream load shed: dropped by overload", "DR": "downstream reset",
}

func envoyFlags(s string) bool {
	for f := range strings.SplitSeq(s, ",") {
		if _, known := flagsOf[f]; !known {
			return false
		}
	}
	return s != ""
}

func envoySays(s string) string {
	var out []string
	for f := range strings.SplitSeq(s, ",") {
		out = append(out, flagsOf[f]+" ("+f+")")
	}
	return strings.Join(out, ", ")
}

// parseHAProxy reads a line of HAProxy's HTTP or TCP log: behind the times and counts
// stand four letters that say how the session ended (haproxy, configuration manual, 8.5).
func parseHAProxy(line string) (e Entry, ok bool) {
	from := strings.Index(line, "] ")
	open := strings.LastIndexByte(line[:max(from, 0)], '[')
	if from < 0 || open < 0 || from-open < 12 || line[open+3] != '/' {
		return Entry{}, false
	}
	f := strings.Fields(line[from+2:])
	// frontend backend/server times status bytes - - ends ...; TCP has no status.
	if len(f) < 5 || strings.Count(f[1], "/") != 1 || strings.Count(f[2], "/") < 2 {
		return Entry{}, false
	}
	e.Format, e.Time = "haproxy", line[open+1:from]
	ends := ""
	if n, err := strconv.Atoi(strings.TrimPrefix(f[3], "+")); err == nil && strings.Count(f[2], "/") == 4 && len(f) > 7 {
		e.Status = n
		ends = f[7]
	} else {
		e.Status = -1
		ends = f[4]
	}
	if len(ends) < 2 || strings.Trim(ends, "CSPRDULIK-cstQHTAE") != "" && len(ends) > 4 {
		return Entry{}, false
	}
	_, server, _ := strings.Cut(f[1], "/")
	why := haproxySays(ends, server)
	e.Odd = why != ""
	request := ""
	if a := strings.IndexByte(line, '"'); a >= 0 {
		if method, path, found := strings.Cut(line[a+1:], " "); found {
			path, _, _ = strings.Cut(path, " ")
			path, _, _ = strings.Cut(path, "?")
			request = " to " + method + " " + strings.Trim(path, "\"")
		}
	}
	e.Text = fmt.Sprintf("%d%s", e.Status, request)
	if e.Status < 0 {
		e.Text = "no answer" + request
	}
	if server != "<NOSRV>" {
		by := " by "
		if why == "" && e.Status >= 400 {
			by = probe.WrittenBy // the server's answer, which was passed on
		}
		e.Text += by + f[1]
		e.Peer, e.Server = server, f[1]
	}
	if why != "" {
		e.Text += ": " + why + " (" + ends[:2] + ")"
	}
	return e, true
}

// haproxySays says in words how a session ended; empty for a good end.
func haproxySays(ends, server string) string {
	if ends[:2] == "SC" && server == "<NOSRV>" {
		return "no server is available"
	}
	switch ends[:2] {
	case "SC":
		return "connection refused, or reset while connecting"
	case "sC":
		return "connect timed out"
	case "sQ":
		return "queue timeout: no server was free in time"
	case "SH":
		return "server closed the connection before its answer was complete"
	case "sH":
		return "upstream timed out before the answer"
	case "SD":
		return "connection reset or closed in the middle of the answer"
	case "sD":
		return "upstream timed out in the middle of the answer"
	case "PC":
		return "connection limit reached on the proxy's own side"
	case "RC":
		return "no free ports, or no memory, for a connection to the server"
	case "PR":
		return "refused by a rule of the proxy"
	case "PH":
		return "the answer was refused by the proxy: it is not valid"
	case "PT":
		return "refused by a rule that holds requests (tarpit)"
	case "cR":
		return "the request did not come in time"
	case "IR", "IC", "IH":
		return "an internal error of the proxy"
	case "DC", "DH":
		return "the server was marked down"
	}
	if strings.HasPrefix(ends, "R") {
		return "a resource of the proxy was short"
	}
	return ""
}

// hasPort reports whether a word is an address with a port, or a Unix socket.
func hasPort(word string) bool {
	if strings.HasPrefix(word, "unix:") {
		return true
	}
	host, port, err := net.SplitHostPort(word)
	return err == nil && host != "" && port != "" && strings.Trim(port, "0123456789") == ""
}
