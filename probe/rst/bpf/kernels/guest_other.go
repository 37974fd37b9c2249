//go:build !linux

package kernels

import (
	"fmt"
	"io"
)

// Guest says that this is no machine for it.
func Guest(out io.Writer) {
	fmt.Fprintln(out, "the first process of a virtual machine needs Linux")
}
