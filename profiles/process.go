package profiles

import (
	"fmt"
	"strconv"
	"strings"
)

// String returns the selection as [ParseProcess] reads it, such as listen=8080.
func (p Process) String() string {
	switch {
	case p.Listen != 0:
		return "listen=" + strconv.Itoa(p.Listen)
	case p.PID != 0:
		return "pid=" + strconv.Itoa(p.PID)
	case p.Cgroup != "":
		return "cgroup=" + p.Cgroup
	case p.Unit != "":
		return "unit=" + p.Unit
	case p.Container != "":
		return "container=" + p.Container
	case p.Pod != "":
		return "pod=" + p.Pod
	}
	return "name=" + p.Name
}

// ParseProcess reads a selection of processes such as listen=8080 or name=nginx.
func ParseProcess(text string) (Process, error) {
	kind, value, found := strings.Cut(text, "=")
	var p Process
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
		return Process{}, fmt.Errorf("%s selects no process: write listen=8080, name=nginx, unit=orders.service, container=orders, pod=shop/orders-*, cgroup=PATH or pid=NUMBER", quote(text))
	}
	v := validator{}
	if v.process("", p); len(v.problems) > 0 {
		return Process{}, fmt.Errorf("%s", v.problems[0].Message)
	}
	return p, nil
}
