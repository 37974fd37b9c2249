package verdicts

import (
	"fmt"
	"math"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/format"
)

// clientAdvice says how the generator can do more.
func clientAdvice(c *inquiry.Investigation, g evidence.GeneratorState) []string {
	switch g.Cause {
	case "client-ephemeral-ports":
		return ownPortAdvice(c, g)
	case "client-file-descriptors":
		return []string{fmt.Sprintf("raise the limit of open files of rampload before the run (ulimit -n, now %s)", format.Number(float64(c.Run.Log.Header.Generator.NoFile))), fewerConnections(c)}
	}
	return []string{"send from a faster machine or from several", "client.engine: direct does more on one core"}
}

// fewerConnections says what in the profile bounds the connections that are open at once.
func fewerConnections(c *inquiry.Investigation) string {
	if c.Run.Log.Header.Generator.Connections == 0 { // a connection for each request in flight
		return "or lower client.max-in-flight, or set client.connections, which it keeps and uses again"
	}
	return "or lower client.connections"
}

// ownPortAdvice tells ports of connections that are open from those that closed ones
// hold on to.
func ownPortAdvice(c *inquiry.Investigation, g evidence.GeneratorState) []string {
	limit, seen := math.Inf(1), ""
	for _, r := range c.Run.Resources {
		if r.Metric.Name == probe.EphemeralPorts && r.Metric.Host == evidence.LocalHost && r.Full != nil {
			limit, seen = r.Limit, fmt.Sprintf(" (now %s ports)", format.Number(r.Limit))
		}
	}
	open := 0.0
	for _, t := range c.Run.Targets {
		open += t.Open[min(c.Run.Window(g.At.Seconds()), len(t.Open)-1)]
	}
	ways := []string{"widen net.ipv4.ip_local_port_range" + seen + ", set net.ipv4.tcp_tw_reuse=1, or add source addresses (client.local-addresses)", "or send the load from several machines"}
	switch {
	case open >= 0.7*limit:
		return append([]string{fmt.Sprintf("%s were open at once, each of which needs a port: quicker answers need fewer", format.Counted(open, "connection"))}, ways...)
	case c.Run.Log.Header.Generator.Connections > 0:
		return append([]string{"let the target keep connections open: it closes them, and each new one takes a port"}, ways...)
	}
	return append([]string{"reuse connections: client.connections above 0"}, ways...)
}
