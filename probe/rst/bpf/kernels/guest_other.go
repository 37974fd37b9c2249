//go:build !linux

package kernels

import "fmt"

// Guest says that this is no machine for it.
func Guest() { fmt.Println("the first process of a virtual machine needs Linux") }
