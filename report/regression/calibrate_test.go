package regression

import "github.com/rampload/rampload/report/stats/calibration"

var grid = calibration.NewGrid("../stats", "../series", "../compare", ".", "../bound.go", "../gate.go", "../tally.go")
