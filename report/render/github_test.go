package render

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rampload/rampload/report"
)

func TestGitHub(t *testing.T) {
	profile := "name: peak\ngate:\n  # - failures < 0.1% up to 1800/s\n  - failures  < 0.1% up to 1800/s\n  - headroom(conntrack) > 20%\n"
	var b bytes.Buffer
	if err := GitHub(&b, fdExhaustion(), "load/peak,1.yaml", profile); err != nil {
		t.Fatal(err)
	}
	want := `::error file=load/peak%2C1.yaml,title=rampload%3A FAILED::payments resets from 1,510/s: pid 4127 ran out of open files
::error file=load/peak%2C1.yaml,line=4,title=gate failed::failures < 0.1%25 up to 1800/s: 1,237 of 102,240 (1.21%25)
::error file=load/peak%2C1.yaml,title=gate failed::onset > 1500/s: payments: reset from 1,510/s (1,490 to 1,525)
::warning file=load/peak%2C1.yaml,line=5,title=gate not judged::headroom(conntrack) > 20%25: conntrack was not measured
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// What a target says cannot make a command of its own.
func TestGitHubCommandsEnd(t *testing.T) {
	r := passed()
	r.Error = "x\n::error::forged\r\n::set-env name=A::b"
	r.Gates = []report.GateResult{{Expr: "a\n::b", Result: report.GateFailed, Reason: "\x1b[31m%0A\n::c"}}
	var b bytes.Buffer
	if err := GitHub(&b, r, "p.yaml\n::x", ""); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if !strings.HasPrefix(line, "::error file=p.yaml%0A%3A%3Ax,title=") || strings.Count(line, "\n") != 1 || strings.ContainsAny(line, "\x1b\r") {
			t.Errorf("%q", line)
		}
	}
	if strings.Count(b.String(), "\n") != 2 {
		t.Errorf("%q", b.String())
	}
}
