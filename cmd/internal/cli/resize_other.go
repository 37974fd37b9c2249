//go:build !unix

package cli

import "os"

// notifyResize does nothing: the next redraw takes the new size.
func notifyResize(chan<- os.Signal) {}
