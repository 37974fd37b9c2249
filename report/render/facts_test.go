package render

import "testing"

// What a cause's evidence says of where requests stood is not said a second time.
func TestNotAgain(t *testing.T) {
	said := []fact{{"cause", []string{"deadlock on api", "api: 7 open requests"}}}
	facts := []fact{{"way", []string{"client -> web -> api"}}, {"stand", []string{"web: 9 open requests", "api: 7 open requests"}}, {"more", []string{"api: 7 open requests"}}}
	got := notAgain(facts, said)
	if len(got) != 2 || got[0].label != "way" || len(got[1].lines) != 1 || got[1].lines[0] != "web: 9 open requests" {
		t.Errorf("%+v", got)
	}
}
