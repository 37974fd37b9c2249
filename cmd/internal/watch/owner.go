package watch

import (
	"strconv"
	"strings"

	"github.com/rampload/rampload/probe"
)

func MetricOwner(m probe.Metric) string {
	var parts []string
	if m.Process != "" {
		parts = append(parts, m.Process)
		if m.PID != 0 {
			parts[0] += "[" + PidText(m.PID) + "]"
		}
	}
	if m.Instance != "" {
		parts = append(parts, m.Instance)
	}
	return strings.Join(parts, " ")
}

func PidText(pid int32) string {
	if pid == 0 {
		return ""
	}
	return strconv.Itoa(int(pid))
}
