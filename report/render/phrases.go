package render

import (
	"fmt"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
)

// faultPhrase says what a target does to its clients, after the target's name.
func faultPhrase(fault string) string {
	switch fault {
	case "reset":
		return "resets"
	case "refused":
		return "refuses connections"
	case "eof":
		return "closes connections without an answer"
	case "broken-pipe":
		return "closes connections while requests are written"
	case "timeout":
		return "times out"
	case "unreachable":
		return "is unreachable"
	case "dns":
		return "does not resolve"
	case "tls":
		return "fails TLS handshakes"
	case "http2-reset":
		return "resets HTTP/2 streams"
	case "http2-goaway":
		return "sends GOAWAY instead of answers"
	case "protocol":
		return "sends malformed answers"
	case "status":
		return "answers with errors"
	}
	return "fails"
}

// causePhrase says in a few words what a cause key means for who did it. Keys of
// a newer catalogue come out as they are.
func causePhrase(key, who string) string {
	upstream := ""
	if rest, ok := strings.CutPrefix(key, "upstream-"); ok {
		upstream, who = "behind it, ", "the next hop"
		key = rest
		if key == "client-timeout" {
			return "answers from behind it take longer than the proxy waits"
		}
		if !serverKey(key) && serverKey("server-"+key) {
			key = "server-" + key
		}
	}
	if p, ok := causePhrases()[key]; ok {
		return upstream + strings.ReplaceAll(p, "{who}", who)
	}
	return upstream + strings.ReplaceAll(key, "-", " ")
}

func serverKey(key string) bool {
	_, ok := causePhrases()[key]
	return ok
}

// causePhrases are the keys of the cause catalogue in words.
func causePhrases() map[string]string {
	return map[string]string{
		"client-ephemeral-ports":  "this machine ran out of ports",
		"client-file-descriptors": "this machine ran out of open files",
		"client-cpu":              "this machine ran out of CPU",
		"unexpected-answers":      "its answers are not what the profile expects",
		"wrong-protocol":          "what answers there speaks another protocol than its url says",
		"client-timeout":          "answers take longer than the client waits",

		"server-file-descriptors":    "{who} ran out of open files",
		"server-connection-limit":    "{who} reached its connection limit",
		"listen-backlog":             "{who} has a full accept queue",
		"syn-backlog":                "{who} has a full SYN queue",
		"server-memory-oom":          "{who} was killed for memory",
		"server-cpu-shedding":        "{who} sheds load, its CPU is used up",
		"server-threads":             "{who} ran out of threads",
		"bandwidth-send-timeout":     "{who} gives up sending on a full link",
		"application-abort":          "{who} aborts connections itself",
		"early-response-unread-body": "{who} answers before it has read the request",
		"process-crash":              "{who} crashed",
		"worker-killed":              "workers of {who} are killed by their supervisor",
		"worker-recycling":           "{who} recycles its workers",
		"ungraceful-restart":         "{who} restarts without draining",
		"pods-not-ready":             "pods of {who} are taken out of service",
		"pod-evicted":                "a pod of {who} was evicted",
		"tls-shedding":               "{who} sheds connections before the handshake",
		"rate-limit-policy":          "{who} limits the rate",
		"idle-timeout-race":          "{who} closes idle connections as they are reused",

		"proxy-ephemeral-ports":  "the proxy ran out of ports",
		"proxy-file-descriptors": "the proxy ran out of open files",
		"proxy-queue-limit":      "the proxy's queue is full",
		"nat-ports":              "a NAT ran out of ports",
		"conntrack-table":        "a connection table is full",
		"conntrack-invalid":      "connection tracking lost connections",
		"path-reset":             "something on the path resets connections",
		"path-connection-limit":  "something on the path limits connections",
		"path-rate-limit":        "something on the path limits the rate",
		"path-idle-expiry":       "something on the path forgets idle connections",
		"host-firewall":          "a firewall on the server's host resets connections",
		"silent-firewall":        "a packet filter drops packets silently",
		"reverse-path-filter":    "a reverse-path filter drops packets",
		"rst-injection":          "resets are injected on the path",
		"packet-loss":            "packets are lost",
		"network-outage":         "the network was down",
		"mtu-black-hole":         "full-size packets do not get through",
		"failover":               "the address moved to another machine",
		"address-unreachable":    "no host answers for the address behind the first",

		"marked-down":      "{who} has marked what is behind it as down",
		"response-refused": "{who} does not take what it is answered",
		"circuit-open":     "{who} has stopped asking what is behind it",
		"dependency-error": "{who} answers with errors",
		"slow-dependency":  "{who} answers late",
		"lock-contention":  "requests wait for locks in {who}",
	}
}

// acceptedPhrases are the keys that mean something else of transactions that are accepted
// and done later.
func acceptedPhrases() map[string]string {
	return map[string]string{
		"rate-limit-policy": "no more than a fixed rate is done",
		"client-timeout":    "they are not done in time",
	}
}

// who names the process of a finding as short as it can be.
func who(f report.Finding) string {
	workers := strings.HasSuffix(f.Cause, "worker-killed") || strings.HasSuffix(f.Cause, "worker-recycling")
	switch {
	case f.PID != 0 && (!workers || f.Process == ""): // one pid of several says little
		return fmt.Sprintf("pid %d", f.PID)
	case f.Process != "":
		return f.Process
	case f.Host != "" && f.Host != profiles.LocalHost:
		return f.Host
	}
	return "the server"
}

// process names the process of a finding in full: "payments[4127]".
func process(name string, pid int) string {
	if pid == 0 {
		return name
	}
	return fmt.Sprintf("%s[%d]", name, pid)
}

// title is a resource's name for people, without its instance.
func title(r report.Resource) string { return strings.ReplaceAll(r.Name, "-", " ") }

// located names a resource and where it is: "open files of payments[4127] on
// payments-1", "cpu on payments-1".
func located(r report.Resource) string {
	if r.Process != "" || r.PID != 0 {
		return title(r) + " of " + place(r)
	}
	return title(r) + " on " + place(r)
}

// owner is where a resource is, in a column: "payments-1/payments[4127]".
func owner(r report.Resource) string {
	if p := process(r.Process, r.PID); p != "" {
		return r.Host + "/" + p
	}
	return r.Host
}

// place is where a resource is: "payments[4127] on payments-1" or the host.
func place(r report.Resource) string {
	if p := process(r.Process, r.PID); p != "" {
		return p + " on " + r.Host
	}
	return r.Host
}
