package reach

import "os/exec"

func ownGroup(*exec.Cmd) {}
