package eval

import (
	"strings"
	"testing"
)

// A family is judged by what fits the others, and not by what fits itself.
func TestFoldsAreKeptApart(t *testing.T) {
	n := len(grid())
	outcome := func(family string, rightAt ...int) Outcome {
		o := Outcome{Family: family, Right: make([]bool, n), Wrong: make([]bool, n)}
		for _, at := range rightAt {
			o.Right[at] = true
		}
		return o
	}
	wrong := outcome("idle", 0, 2)
	wrong.Wrong[2] = true
	folds := Folds([]Outcome{
		outcome("died", 0, 1), outcome("died", 1), outcome("died", 1), // 1 is best for them
		outcome("slow", 0, 2), outcome("slow", 2), outcome("slow", 2), outcome("slow", 2), // and 2 for these
		wrong,
	})
	got := map[string]Fold{}
	for _, f := range folds {
		got[f.Family] = f
	}
	if f := got["slow"]; f.Best != grid()[1] || f.Right != 0 || f.UsualRight != 1 || f.Runs != 4 {
		t.Errorf("slow is judged by itself: %+v", f)
	}
	if f := got["died"]; f.Best == grid()[1] {
		t.Errorf("died is judged by itself: %+v", f)
	}
	if f := got["died"]; f.Best != grid()[0] { // 2 has four right, and a wrong claim
		t.Errorf("a wrong claim costs nothing: %+v", f)
	}
	if table := FitTable([]Outcome{wrong}, folds); !strings.Contains(table, "| 5 | 2.5 | 1 | 1 | 0 |") {
		t.Errorf("the table is\n%s", table)
	}
}
