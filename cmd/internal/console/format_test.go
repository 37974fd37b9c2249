package console

import (
	"testing"

	"github.com/rampload/rampload/report/render"
	"github.com/rampload/rampload/report/render/comparison"
)

func TestChooseFormat(t *testing.T) {
	for _, c := range []struct{ format, out, want string }{
		{"", "", "table"},
		{"", "peak.html", "html"},
		{"", "junit.xml", "junit"},
		{"", "out/peak.json", "json"},
		{"", "peak.txt", "table"},
		{"md", "peak.html", "md"},
	} {
		if got, err := ChooseFormat(c.format, c.out, render.Formats()); err != nil || got != c.want {
			t.Errorf("--format %q --out %q: got %q, %v; want %q", c.format, c.out, got, err, c.want)
		}
	}
	if _, err := ChooseFormat("pdf", "", render.Formats()); err == nil {
		t.Error("a format that is not there was taken")
	}
	if got, err := ChooseFormat("", "c.xml", comparison.Formats()); err != nil || got != "table" {
		t.Errorf("compare has no JUnit: got %q, %v", got, err)
	}
}
