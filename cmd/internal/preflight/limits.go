package preflight

import (
	"fmt"
	"math"
	"time"

	"github.com/rampload/rampload/cmd/internal/plan"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/format"
)

// generatorLimits is what this machine gives a generator of load. A zero value
// was not measured and gives no warning.
type generatorLimits struct {
	files     uint64        // own soft RLIMIT_NOFILE, after it was raised
	ports     int           // ephemeral ports towards one destination
	timeWait  time.Duration // how long a closed connection keeps its port
	cpus      int
	cores     int           // generators that share the processors; 0: this one alone
	besides   int           // further generators that share the source ports
	perVegeta time.Duration // CPU of one request, by engine
	perDirect time.Duration
}

// Measured on one core against nginx on another, keep-alive, with full reset
// accounting; see make bench. They only decide whether a warning is due.
const (
	cpuPerVegeta = 12 * time.Microsecond
	cpuPerDirect = 8 * time.Microsecond
	ownFiles     = 64 // descriptors that are not connections
)

// Shared returns what is left of the limits for one of several generators on this
// machine: as many share its source ports, and as many its processors. Open files are of
// each.
func (l generatorLimits) Shared(ports, cores int) generatorLimits {
	l.besides, l.ports = max(ports, 1)-1, l.ports/max(ports, 1)
	l.cores = cores
	return l
}

// mostWithin returns the most requests that are due within a span of a plan.
func mostWithin(p profiles.Profile, span time.Duration) float64 {
	load, err := plan.Of(p)
	if err != nil {
		return 0
	}
	var due []float64 // by second
	sum, most := 0.0, 0.0
	for at := time.Duration(0); at < load.End(); at += time.Second {
		due = append(due, load.Rate(at+time.Second/2)*min(1, (load.End()-at).Seconds()))
		sum += due[len(due)-1]
		if n := len(due) - int(span/time.Second); n > 0 {
			sum -= due[n-1]
		}
		most = max(most, sum)
	}
	return most
}

// PlanWarnings says which limits of the generator a profile would meet, each
// with the number and what to do.
func PlanWarnings(p profiles.Profile, l generatorLimits) []string {
	var out []string
	warn := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }

	rate, open := p.MaxRate()
	conns := mostConnections(p)
	if need := uint64(conns*len(p.Targets) + ownFiles); l.files > 0 && need > l.files {
		warn("up to %s connections need %s open files and this process may open %s: ulimit -n %d, or %s",
			format.Number(float64(conns*len(p.Targets))), format.Number(float64(need)), format.Number(float64(l.files)), need, fewerConnections(p))
	}
	if l.ports > 0 && len(p.Client.LocalAddrs) <= 1 {
		if conns > l.ports {
			warn("%s connections to one target need as many local ports and there are %s: sysctl -w net.ipv4.ip_local_port_range='1024 65535', or add client.local-addresses",
				format.Number(float64(conns)), l.left())
		}
		if p.Client.Connections == 0 && open {
			// Each connection that this machine closes first keeps its port for the
			// length of TIME_WAIT.
			closed := mostWithin(p, l.timeWait)
			for _, t := range p.Targets {
				if inUse := closed * t.Share; inUse > float64(l.ports) {
					unless := ", unless the target closes first,"
					if p.Client.CloseFirst {
						unless = " (client.close-by: client)"
					}
					warn("target %s: a connection for each request leaves up to %s ports in TIME_WAIT%s and there are %s: set client.connections, or add client.local-addresses",
						t.Name, format.Number(math.Round(inUse)), unless, l.left())
				}
			}
		}
	}
	if open && l.cpus > 0 {
		cost := l.perVegeta
		if p.Client.Engine == profiles.EngineDirect {
			cost = l.perDirect
		}
		if share := rate * cost.Seconds() * float64(max(l.cores, 1)) / float64(l.cpus); share > 0.7 {
			advice := "send from more cores"
			if p.Client.Engine == profiles.EngineVegeta {
				advice = "set client.engine: direct"
			}
			warn("%s requests/s%s would take about %.0f%% of this machine's %d cores with engine %s: %s",
				format.Number(rate), l.each(), 100*share, l.cpus, p.Client.Engine, advice)
		}
	}
	if !open && p.Client.Engine == profiles.EngineVegeta {
		warn("at: max sends as fast as it can, and engine vegeta carries less than engine direct: set client.engine: direct")
	}
	return out
}

// each says how many generators send a rate on this machine.
func (l generatorLimits) each() string {
	if l.cores < 2 {
		return ""
	}
	return fmt.Sprintf(" of each of %d workers here", l.cores)
}

// left says of how many generators the ports are.
func (l generatorLimits) left() string {
	if l.besides < 1 {
		return format.Number(float64(l.ports))
	}
	return fmt.Sprintf("%s for each of the %d workers on this machine", format.Number(float64(l.ports)), l.besides+1)
}

// fewerConnections says which setting of a profile bounds its connections.
func fewerConnections(p profiles.Profile) string {
	most := mostConnections(p)
	switch {
	case p.Client.Connections == most:
		return "lower client.connections"
	case p.Client.Connections == 0 && p.Client.MaxInFlight == most:
		return "lower client.max-in-flight or set client.connections"
	}
	return "hold fewer connections in load"
}

// mostConnections is how many connections one target may have open.
func mostConnections(p profiles.Profile) int {
	most := p.Client.Connections
	if most == 0 {
		most = p.Client.MaxInFlight
	}
	for _, s := range p.Load {
		if s, ok := s.(profiles.Connections); ok {
			most = max(most, s.From, s.To)
		}
	}
	return most
}
