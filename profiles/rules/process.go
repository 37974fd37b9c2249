package rules

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
)

// ParseProcess reads a selection of processes such as listen=8080 or name=nginx.
func ParseProcess(text string) (profiles.Process, error) {
	kind, value, found := strings.Cut(text, "=")
	var p profiles.Process
	var err error
	switch kind {
	case "listen":
		p.Listen, err = strconv.Atoi(value)
	case "pid":
		p.PID, err = strconv.Atoi(value)
	case "name":
		p.Name = value
	case "cgroup":
		p.Cgroup = value
	case "unit":
		p.Unit = value
	case "container":
		p.Container = value
	case "pod":
		p.Pod = value
	default:
		found = false
	}
	if !found || value == "" || err != nil {
		return profiles.Process{}, fmt.Errorf("%s selects no process: write listen=8080, name=nginx, unit=orders.service, container=orders, pod=shop/orders-*, cgroup=PATH or pid=NUMBER", spelling.Quote(text))
	}
	v := &validator{}
	hostRules{v}.process("", p)
	if len(v.problems) > 0 {
		return profiles.Process{}, fmt.Errorf("%s", v.problems[0].Message)
	}
	return p, nil
}
