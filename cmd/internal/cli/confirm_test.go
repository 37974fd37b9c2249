package cli

import (
	"testing"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/profiles/fingerprint"
	"github.com/rampload/rampload/report"
)

// A repeated run takes the overrides that a run takes: it must not load the old
// address when it is told another.
func TestProfileOfAReport(t *testing.T) {
	const text = "name: p\ntargets: [{name: orders, url: \"http://old.internal:80\"}]\nload: [{at: 50/s, for: 1s}]\n"
	env := console.Env{LookupEnv: func(string) (string, bool) { return "", false }}
	before := &report.Report{}
	before.Profile.YAML = text
	flags := &input.Flags{Scale: 1, Targets: []string{"orders=http://new.internal:81"}}
	p, err := input.DecodeProfile(env, &input.Globals{}, &input.Flags{Scale: 1}, "p", "", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	before.Profile.Fingerprint = fingerprint.Of(p)
	if p, err = profileOf(env, &input.Globals{}, flags, before); err != nil || p.Targets[0].URL != "http://new.internal:81" {
		t.Errorf("targets %+v, %v; want http://new.internal:81", p.Targets, err)
	}
	if _, err = profileOf(env, &input.Globals{}, &input.Flags{Scale: 2}, before); err == nil {
		t.Error("a load of another height was taken for the same profile")
	}
}
