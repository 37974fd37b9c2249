package bend_test

import (
	"math"
	"testing"

	"github.com/rampload/rampload/report/stats/bend"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > tolerance {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestFind(t *testing.T) {
	var x, y []float64
	for i := range 200 {
		load := 10 * float64(i)
		x = append(x, load)
		y = append(y, 5+0.08*min(load, 1200)+0.4*math.Sin(float64(i)*1.7))
	}
	c, ok := bend.Find(x, y)
	if !ok {
		t.Fatal("no corner found")
	}
	near(t, "corner", c.At, 1200, 15)
	near(t, "level", c.Level, 101, 0.5)
	near(t, "slope", c.Slope, 0.08, 0.001)
	if c.Low > 1200 || c.High < 1200 || c.High-c.Low > 80 {
		t.Errorf("interval = [%v, %v]", c.Low, c.High)
	}
	for name, f := range map[string]func(float64) float64{
		"line":          func(v float64) float64 { return 3 + 0.1*v },
		"constant":      func(float64) float64 { return 7 },
		"slower growth": func(v float64) float64 { return 0.1*min(v, 1000) + 0.05*max(0, v-1000) },
		"falling":       func(v float64) float64 { return -0.1 * min(v, 1000) },
	} {
		for i := range y {
			y[i] = f(x[i]) + 0.3*math.Sin(float64(i)*1.7)
		}
		if c, ok := bend.Find(x, y); ok {
			t.Errorf("%s has a corner: %+v", name, c)
		}
	}
}
