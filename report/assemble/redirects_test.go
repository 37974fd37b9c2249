package assemble

import (
	"strings"
	"testing"

	"github.com/rampload/rampload/report"
)

func TestRedirects(t *testing.T) {
	target := func(name string, codes map[string]uint64) report.Target {
		return report.Target{Name: name, Totals: report.Totals{StatusCodes: codes}}
	}
	got := redirects([]report.Target{
		target("app", map[string]uint64{"302": 40, "301": 1}),
		target("some", map[string]uint64{"302": 40, "200": 1}),
		target("cached", map[string]uint64{"304": 40}),
		target("none", map[string]uint64{}),
		target("checkout/login", map[string]uint64{"303": 40}), // the next step goes on from there
	})
	if len(got) != 1 || !strings.HasPrefix(got[0], "every answer of app is a redirect (301, 302), ") {
		t.Errorf("%q", got)
	}
}
