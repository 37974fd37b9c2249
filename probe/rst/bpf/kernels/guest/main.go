// Guest is the first process of the virtual machines that package kernels boots.
package main

import (
	"os"

	"github.com/rampload/rampload/probe/rst/bpf/kernels"
)

func main() { kernels.Guest(os.Stdout) }
