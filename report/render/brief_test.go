package render

import "testing"

// One reason that stands for many parts is said without them.
func TestBriefReasons(t *testing.T) {
	for reason, want := range map[string]string{
		"a, b, c, d, e not measured: no fentry in this kernel":                                                "no fentry in this kernel",
		"a, b not measured: no such file":                                                                     "a, b not measured: no such file",
		"names not measured: unreadable; needs CAP_SYSLOG; a, b, c, d not measured: no fentry; 3 events lost": "names not measured: unreadable; needs CAP_SYSLOG; no fentry; 3 events lost",
		"": "",
	} {
		if got := brief(reason); got != want {
			t.Errorf("%q is %q, want %q", reason, got, want)
		}
	}
}
