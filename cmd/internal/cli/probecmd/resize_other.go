//go:build !unix

package probecmd

import "os"

// notifyResize does nothing: the next redraw takes the new size.
func notifyResize(chan<- os.Signal) {}
