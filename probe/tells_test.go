package probe

import "testing"

func TestTells(t *testing.T) {
	for _, tt := range []struct {
		name  string
		share float64
		want  bool
	}{
		{FileSystem, 0.56, false},
		{FileSystem, 0.95, true},
		{FileSystemInodes, 0.05, false},
		{FileSystemInodes, 1, true},
		{OpenFiles, 0.01, true},
		{CPU, 0.5, true},
		{Memory, 0.9, true},
	} {
		if got := Tells(tt.name, tt.share); got != tt.want {
			t.Errorf("%s at %.0f %%: %v", tt.name, 100*tt.share, got)
		}
	}
}
