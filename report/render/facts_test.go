package render

import (
	"testing"

	"github.com/rampload/rampload/report/render/layout"
)

// What a cause's evidence says of where requests stood is not said a second time.
func TestNotAgain(t *testing.T) {
	said := []layout.Fact{{Label: "cause", Lines: []string{"deadlock on api", "api: 7 open requests"}}}
	facts := []layout.Fact{{Label: "way", Lines: []string{"client -> web -> api"}}, {Label: "stand", Lines: []string{"web: 9 open requests", "api: 7 open requests"}}, {Label: "more", Lines: []string{"api: 7 open requests"}}}
	got := notAgain(facts, said)
	if len(got) != 2 || got[0].Label != "way" || len(got[1].Lines) != 1 || got[1].Lines[0] != "web: 9 open requests" {
		t.Errorf("%+v", got)
	}
}
