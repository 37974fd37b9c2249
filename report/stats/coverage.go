package stats

import "math"

// Coverage is in what share of simulated runs that look like this one the interval of a
// rise holds its beginning: by whether the rate jumps or grows, and by how clustered its
// events look. The runs are ramps on which the share of failures steps up, or grows with the
// load, its square or its exponential. `make calibrate` measures it. It is NaN of what grows
// slowly, of what was there from the start, and of bursts.
func (r Rise) Coverage() float64 {
	if r.Slow || r.Status != Lasting && r.Status != Episode {
		return math.NaN()
	}
	grows := 0
	if r.Hinge {
		grows = 1
	}
	return coverage[grows][clusterClass(r.Clusters)]
}

// clusterClasses are the bounds of how clustered events look, by which coverage is told.
var clusterClasses = [...]float64{1, 10, 50}

// coverage is that of jumps and of growths, by the class of their clusters.
var coverage = [2][len(clusterClasses) + 1]float64{
	{0.99, 0.99, 0.99, 0.99},
	{0.99, 0.99, 0.99, 0.98},
}

func clusterClass(clusters float64) int {
	class := 0
	for class < len(clusterClasses) && clusters > clusterClasses[class] {
		class++
	}
	return class
}
