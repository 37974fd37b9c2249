package rst

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"

	"golang.org/x/sys/unix"
)

// onNetns runs f in the network namespace at path, or here if path is empty.
// Sockets that f opens stay in that namespace.
func onNetns(path string, f func() error) error {
	if path == "" {
		return f()
	}
	done := make(chan error)
	go func() {
		// Never unlocked: the thread ends with its goroutine, so that no other
		// goroutine finds itself in the namespace.
		runtime.LockOSThread()
		done <- func() error {
			fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return fmt.Errorf("open network namespace %s: %w", path, err)
			}
			defer unix.Close(fd)
			if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("enter network namespace %s: %w", path, err)
			}
			return f()
		}()
	}()
	return <-done
}

// NetnsAddrs returns the addresses of the interfaces of a network namespace,
// loopback among them; an empty path is the namespace of this process.
func NetnsAddrs(path string) ([]netip.Addr, error) {
	var list []net.Addr
	err := onNetns(path, func() (err error) {
		list, err = net.InterfaceAddrs()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	return prefixAddrs(list), nil
}
