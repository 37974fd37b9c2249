package diagnose_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/diagnose/verdicts"
)

// Incidents over nginx, haproxy, gunicorn, pgbouncer and PostgreSQL, each on a host of its
// own. The hop that the waiting ends at is the cause, and those before
// it are its victims.
func TestIncidentsAreFollowedToTheirHop(t *testing.T) {
	const all = "client -> nginx on lb:80 -> gunicorn on app:8080 -> postgres on db:5432"
	for _, c := range []struct {
		name, cause, host, process, line string
		state                            report.Stand
		victims                          int
		says                             string
	}{
		{"database-lock", "lock-contention", "db", "postgres", all, report.StandsInside, 2, "wait for app:8080"},
		{"stopped-database", "upstream-process-paused", "db", "postgres", all, report.StandsStill, 2, "wait for app:8080"},
		{"one-connection-pool", "upstream-pool-exhausted", "app", "gunicorn", all, report.StandsPool, 1, "wait for app:8080"},
		{"throttled-workers", "upstream-cpu-shedding", "app", "gunicorn", "client -> nginx on lb:80 -> gunicorn on app:8080", report.StandsNoProcessor, 1, "wait for app:8080"},
		{"busy-workers", "upstream-threads", "app", "gunicorn", "client -> nginx on web:80 -> gunicorn on app:8000", report.StandsNotAccepted, 1, "wait for app:8000"},
		{"capped-proxy", "server-connection-limit", "lb", "haproxy", "client -> haproxy on lb:80 -> gosrv on api:8080", report.StandsNotAccepted, 0, "taken by 1 thread"},
		{"paused-behind-proxy", "upstream-process-paused", "app", "gosrv", "client -> haproxy on lb:80 -> gosrv on app:8000", report.StandsStill, 1, "stopped by a signal"},
		{"filtered-way-back", "reverse-path-filter", "web", "", "client -> nginx on web:80 -> gosrv on app:8000", report.StandsNetwork, 0, "the kernel of web dropped"},
		{"pooler-pool", "upstream-pool-exhausted", "bouncer", "pgbouncer", "client -> haproxy on lb:80 -> gosrv on api:8080 -> pgbouncer on bouncer:6432 -> postgres on db:5432", report.StandsPool, 2, "share 3 connections to db:5432"},
	} {
		r := diagnose.Analyze(readRun(t, filepath.Join("testdata", "incidents", c.name+".runlog.gz")))
		f := r.Findings[0]
		if f.Verdict != diagnose.Explains || f.Cause != c.cause || f.Host != c.host || f.Process != c.process {
			t.Errorf("%s: %s %s of %s on %s (%.2f)\n%s", c.name, f.Verdict, f.Cause, f.Process, f.Host, f.Confidence, f.Summary)
		}
		way := r.Targets[0].Way
		if way == nil || way.Line != c.line {
			t.Errorf("%s: the way is %+v, want %s", c.name, way, c.line)
			continue
		}
		victims := 0
		for _, h := range way.Hops {
			switch h.Role {
			case report.RoleVictim:
				victims++
			case report.RoleCulprit:
				if c.process != "" && h.Process != c.process || h.State != c.state {
					t.Errorf("%s: the waiting ends at %s, %s", c.name, h.Process, h.State)
				}
			}
		}
		if victims != c.victims || !strings.Contains(f.Summary, c.says) {
			t.Errorf("%s: %d victims\n%s", c.name, victims, f.Summary)
		}
		for _, g := range r.Findings {
			if strings.HasSuffix(g.Cause, "client-timeout") {
				t.Errorf("%s: a symptom is named as a cause: %s", c.name, g.Cause)
			}
		}
	}
}

// A service that answers late is in no deadlock, one that uses all of its processor does not
// stand still, and one that asks others needs local ports, whether it is a known proxy or not.
// Connections that are open on another machine were sent astray, even where few are lost at one
// instant. An end that is told several times has one successor. A store in a script of seconds is
// no pool of its callers. What somebody ended did not crash. Where the messages that packets are
// too big are dropped, small answers to the same request say nothing. A service whose host sends as
// many bytes for each request that ends as before is not stuck. A store that is told things without an
// answer is not waited for. A body that a full link brings late is not short. Connections that rested
// are lost to what forgets them, and not to a filter. A process that said what it lacks and then stood
// lacks it. Requests whose packets a filter drops may be answered 500 by who waits for them. A forward
// proxy's own 403 is its rule. Who refuses after a wait for a pool has no limit of connections.
// Answers from an address that nobody dialled were sent, wherever their requests seem to stand.
func TestIncidentsAreNotTakenForTheirNeighbours(t *testing.T) {
	for _, c := range []struct {
		name        string
		verdict     verdicts.Verdict
		cause, says string
	}{
		{"late-answers", diagnose.Unexplained, "unexplained", "neither a queue nor the processor nor a disk holds them"},
		{"full-processor", diagnose.Explains, "server-cpu-shedding", "processor 99.8%"},
		{"service-without-ports", diagnose.Explains, "proxy-ephemeral-ports", "1,460 of 1,460"},
		{"rehashed-paths", diagnose.Explains, "failover", "5 connections that were open on orders-2 were reset by orders-1"},
		{"long-script", diagnose.Explains, "upstream-process-paused", "node: 1 of 160 open requests wait for cache:6379, the oldest for 4.5 s"},
		{"ended-by-somebody", diagnose.Explains, "upstream-service-down", "1 of 1 end came by SIGTERM; nothing took the place of node"},
		{"too-big-dropped", diagnose.Explains, "mtu-black-hole", "dropped 3,453 packet-too-big messages"},
		{"slow-third-party", diagnose.Explains, "slow-dependency", "python3 on tax:8080: it answers late"},
		{"told-not-asked", diagnose.Explains, "upstream-threads", "taken by 27 threads"},
		{"bodies-delayed", diagnose.Explains, "path-delay", "packets from web to media:8080 and back are under way for 0.11 s"},
		{"rested-connections", diagnose.Explains, "path-idle-expiry", "something on the path forgets connections that rest"},
		{"heap-full", diagnose.Explains, "upstream-memory-oom", "OutOfMemoryError: Java heap space; then it stood"},
		{"filter-before-store", diagnose.Explains, "silent-firewall", "the kernel of sessions dropped 1,452 SYNs to :11211 in INPUT"},
		{"forward-proxy-denies", diagnose.Ambiguous, "upstream-deny-rule", "on a page of its own"},
		{"pool-behind-empty-cache", diagnose.Explains, "upstream-pool-exhausted", "share 12 connections to db:5432"},
		{"answers-astray", diagnose.Explains, "conntrack-invalid", "passed them on untranslated"},
		{"reloads-followed-twice", diagnose.Explains, "ungraceful-restart", "313 of 313 failures came while haproxy was gone"},
	} {
		f := diagnose.Analyze(readRun(t, filepath.Join("testdata", "incidents", c.name+".runlog.gz"))).Findings[0]
		if f.Verdict != c.verdict || f.Cause != c.cause || !strings.Contains(f.Summary, c.says) {
			t.Errorf("%s: %s %s (%.2f)\n%s", c.name, f.Verdict, f.Cause, f.Confidence, f.Summary)
		}
	}
}
