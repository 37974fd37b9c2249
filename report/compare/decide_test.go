package compare

import (
	"fmt"
	"testing"
)

func TestRunsFor(t *testing.T) {
	// 2/C(10,5) = 0.0079: six metrics at most with five runs.
	for family, want := range map[int]int{3: 5, 6: 5, 7: 6, 23: 6} {
		if got := runsFor(family); got != want {
			t.Errorf("runsFor(%d) = %d, want %d", family, got, want)
		}
	}
	if p := minimalP(5, 5); fmt.Sprintf("%.4f", p) != "0.0079" {
		t.Errorf("minimalP(5, 5) = %v", p)
	}
}
