package diagnose_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose"
)

// Incidents over nginx, gunicorn and PostgreSQL, each on a host of its own that is named
// without its processes. The hop that the waiting ends at is the cause, and those before
// it are its victims.
func TestIncidentsAreFollowedToTheirHop(t *testing.T) {
	const all = "client -> nginx on lb:80 -> gunicorn on app:8080 -> postgres on db:5432"
	for _, c := range []struct {
		name, cause, host, process, line string
		state                            report.Stand
		victims                          int
	}{
		{"database-lock", "upstream-deadlock", "db", "postgres", all, report.StandsInside, 2},
		{"stopped-database", "upstream-process-paused", "db", "postgres", all, report.StandsStill, 2},
		{"one-connection-pool", "upstream-pool-exhausted", "app", "gunicorn", all, report.StandsPool, 1},
		{"throttled-workers", "upstream-cpu-shedding", "app", "gunicorn", "client -> nginx on lb:80 -> gunicorn on app:8080", report.StandsNoProcessor, 1},
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
				if h.Process != c.process || h.State != c.state {
					t.Errorf("%s: the waiting ends at %s, %s", c.name, h.Process, h.State)
				}
			}
		}
		if victims != c.victims || !strings.Contains(f.Summary, "wait for app:8080") {
			t.Errorf("%s: %d victims\n%s", c.name, victims, f.Summary)
		}
		for _, g := range r.Findings {
			if strings.HasSuffix(g.Cause, "client-timeout") {
				t.Errorf("%s: a symptom is named as a cause: %s", c.name, g.Cause)
			}
		}
	}
}
