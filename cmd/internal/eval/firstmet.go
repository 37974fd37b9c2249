package eval

// meeting is how the diagnosis fared on scenarios when it first met them, before
// any rule was changed for them. It cannot be measured again: that is why it is
// written down here.
type meeting struct {
	what  string
	runs  int
	right int // first cause right; of controls: called healthy
	wrong int // a wrong cause claimed
}

// meetings are those of all scenarios that were written, in order, without
// knowledge of the rules.
func meetings() []meeting {
	return []meeting{
		{"63 scenarios: nginx, haproxy, Python, containers, instances, middleboxes, application faults, look-alikes", 63, 39, 4},
		{"18 more: relays, rehashed paths, software limits", 18, 15, 1},
		{"21 more: Apache, lighttpd, stunnel, the standard Python server, packet filter rules", 21, 15, 4},
		{"15 more: dependencies' limits, unreachable servers, near limits, short answers", 15, 12, 0},
		{"16 more: uWSGI, Node.js, Caddy, PHP-FPM, Puma, Unicorn, Tomcat, Squid, Varnish", 16, 12, 1},
		{"the lab's scenarios known by then, with new limits, loads and times (seed 3)", 173, 164, 1},
		{"the same, three in five of them (seed 6)", 129, 120, 3},
		{"16 of an outside tester, outside this lab, each run twice", 32, 27, 0},
		{"18 of a second one, each run twice: NAT, connection tracking, MTU, pauses, shedding, deployments, look-alikes", 36, 25, 3},
	}
}

func (e *Evaluation) writeMeetings(p printer) {
	p("\n## As first met\n")
	p("What the tables above show is flattered by rules that were improved on the same scenarios. These")
	p("were written by somebody who did not know the rules, and run once before any was changed for them:")
	p("that is what to expect of a fault that nobody foresaw. Controls count as right if they pass.\n")
	p("| scenarios | right | wrong cause claimed |\n|---|---|---|")
	for _, m := range meetings() {
		p("| %s | %s | %s |", m.what, share(m.right, m.runs), share(m.wrong, m.runs))
	}
}
