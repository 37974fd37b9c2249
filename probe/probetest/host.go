package probetest

import (
	"testing"

	"github.com/rampload/rampload/probe"
)

// RunHost runs the contract of [probe.Host] on what open opens: every source is of
// the host, what is missing has a reason, and every sampler keeps the contract of
// its own. It returns the names of the sources that could be opened.
func RunHost(t *testing.T, host func(t *testing.T) probe.Host, selected probe.Selection) []string {
	t.Helper()
	h := host(t)
	sources := h.Open(t.Context(), selected)
	defer sources.Close()
	if len(sources.Samplers)+len(sources.Watchers)+len(sources.Missing) == 0 {
		t.Errorf("%s opens nothing and says of nothing that it is missing", h.Name())
	}
	var names []string
	for _, s := range sources.Samplers {
		names = append(names, s.Source().Name)
		CheckSource(t, s.Source())
		if s.Source().Host != h.Name() {
			t.Errorf("%v is a source of %q", s.Source(), h.Name())
		}
	}
	for _, m := range sources.Missing {
		CheckSource(t, m.Source)
		if m.State != probe.NotMeasured || m.Reason == "" || m.Source.Host != h.Name() {
			t.Errorf("missing %+v of %q: want a reason, and that nothing was measured", m, h.Name())
		}
	}
	for i := range sources.Samplers {
		t.Run(names[i], func(t *testing.T) {
			RunSampler(t, func(t *testing.T) probe.Sampler {
				again := host(t).Open(t.Context(), selected)
				for j, s := range again.Samplers {
					if j != i {
						closeSource(t, s)
					}
				}
				return again.Samplers[i]
			})
		})
	}
	return names
}
