package releases

import "testing"

func TestSpark(t *testing.T) {
	if got := spark([]*float64{new(1.0), nil, new(8.0), new(4.0)}); got != "▂ █▅" {
		t.Errorf("%q", got)
	}
	if got := spark([]*float64{new(1.0)}); got != "" {
		t.Errorf("one value: %q", got)
	}
}
