package rules

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
)

func (v hostRules) agent(path string, a profiles.Agent) {
	ways := 0
	for _, given := range []bool{a.Name != "", a.SSH != "", len(a.Command) > 0} {
		if given {
			ways++
		}
	}
	switch {
	case ways > 1:
		v.add(path, "%d ways to reach the agent are given: write exactly one of ssh, command and the name of an agent that runs", ways)
	case a.Install && a.SSH == "":
		v.add(path, "only over ssh can rampload be copied: write {ssh: ssh://user@host, install: copy}, or leave install out")
	case a.Name != "" && !profiles.IsAgentName(a.Name):
		v.add(path, "%s is not the name of an agent: write the one that it was started with, such as orders-1, or ssh, or ssh://user@host", spelling.Quote(a.Name))
	case a.SSH != "" && a.SSH != "ssh" && !isSSH(a.SSH):
		v.add(path, "%s is not an address for ssh: write ssh, or ssh://user@host:port", spelling.Quote(a.SSH))
	case len(a.Command) > 0 && a.Command[0] == "":
		v.add(path, "the command has no name: write [kubectl, exec, -i, orders-1, --, rampload, agent, --stdio]")
	}
}

// isSSH reports whether the text is an address for ssh. Nothing in it may be taken
// for an option.
func isSSH(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "ssh" && u.Hostname() != "" && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" &&
		!strings.HasPrefix(u.Hostname(), "-") && !strings.HasPrefix(u.User.Username(), "-")
}

// leastScrape and mostScrape bound how often a metrics page is read.
const (
	leastScrape = 200 * time.Millisecond
	mostScrape  = time.Minute
)

func (v hostRules) metrics(path string, m profiles.Metrics) {
	if u, err := url.Parse(m.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		v.add(path, "%s is not a metrics URL: write one such as http://db-1:9100/metrics", spelling.Quote(m.URL))
	}
	switch {
	case m.Bearer != "" && m.Username != "":
		v.add(path, "bearer and username are two ways to log in: leave out one of them")
	case m.Password != "" && m.Username == "":
		v.add(path, "the password has no user: write username beside it")
	case m.Every != 0 && (m.Every < leastScrape || m.Every > mostScrape):
		v.add(path, "every: %s is out of range: write a duration from 200ms to 1m; 1s finds the order of events best", spelling.FormatDuration(m.Every))
	case (m.TLS.CertFile == "") != (m.TLS.KeyFile == ""):
		v.add(path, "a certificate and its key belong together: write both cert and key")
	}
}

func (v hostRules) pool(path string, p profiles.Pool) {
	for _, m := range []struct{ key, text string }{{"use", p.Use}, {"limit", p.Limit}} {
		name, labels, hasLabels := strings.Cut(m.text, "{")
		_, err := strconv.ParseFloat(m.text, 64)
		switch {
		case m.key == "limit" && (m.text == "" || err == nil):
		case strings.ContainsAny(name, " \t\"") || name == "" || hasLabels && !strings.HasSuffix(labels, "}"):
			v.add(path+"."+m.key, "%s is no metric: write its name, such as hikaricp_connections_active, with labels where it has several series", spelling.Quote(m.text))
		}
	}
}

// fleet checks the other machines of the run.
func (v hostRules) fleet(f profiles.Fleet) {
	switch {
	case f.Workers < 0 || f.Workers > maxWorkers:
		v.add("fleet.workers", "%d workers cannot be: write a number from 1 to %d", f.Workers, maxWorkers)
	case f.Within < 0 || f.Within > time.Hour:
		v.add("fleet.within", "%s is out of range: write a time up to 1h", spelling.FormatDuration(f.Within))
	case f.NATS != "" && f.Listen != "":
		v.add("fleet.listen", "the server of nats is there already: leave out listen")
	}
	if f.NATS == "" {
		return
	}
	for _, one := range strings.Split(f.NATS, ",") {
		if u, err := url.Parse(strings.TrimSpace(one)); err != nil || u.Hostname() == "" || u.Scheme != "nats" && u.Scheme != "tls" && u.Scheme != "ws" && u.Scheme != "wss" {
			v.add("fleet.nats", "%s is not the address of a NATS server: write one such as nats://nats.internal:4222", spelling.Quote(one))
		}
	}
}

// maxWorkers bounds the machines of a run: beyond it each would send next to nothing.
const maxWorkers = 1000
