package fleet

import "os/exec"

func ownGroup(*exec.Cmd) {}
