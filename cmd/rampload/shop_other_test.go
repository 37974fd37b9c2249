//go:build !linux

package main_test

import (
	"fmt"
	"os"
)

// shopService is of the street of namespaces, which is of Linux alone.
func shopService() {
	fmt.Fprintln(os.Stderr, "the street needs Linux")
	os.Exit(1)
}
