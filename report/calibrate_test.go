package report

import "github.com/rampload/rampload/report/stats/calibration"

var grid = calibration.NewGrid("stats", "series", "bound.go", "crossing.go", "gate.go", "tally.go", "simulated_test.go")
