package services

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// delay makes a TUN device (kernel documentation, networking/tuntap) and sends
// each packet that is routed to it back after a fixed time, in order.
func delay(fs *flag.FlagSet) func(context.Context, *host) error {
	by := fs.Duration("by", 0, "time that a packet is held")
	device := fs.String("device", "lag", "name of the device")
	return func(ctx context.Context, h *host) error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return fmt.Errorf("open tun: %w", err)
		}
		req, err := unix.NewIfreq(*device)
		if err == nil {
			req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
			err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
		}
		if err != nil {
			unix.Close(fd)
			return fmt.Errorf("make device %s: %w", *device, err)
		}
		tun := os.NewFile(uintptr(fd), *device)
		defer tun.Close()
		stop := context.AfterFunc(ctx, func() { tun.SetReadDeadline(time.Unix(1, 0)) })
		defer stop()
		// Nothing listens: the address only says that the device is there.
		h.ready(&net.TCPAddr{IP: net.IPv4zero, Port: 1})

		type held struct {
			due    time.Time
			packet []byte
		}
		// The device's own queue drops what does not fit in here.
		queue := make(chan held, 100_000)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for p := range queue {
				if !lab.Wait(ctx, time.Until(p.due)) {
					continue
				}
				if _, err := tun.Write(p.packet); err != nil {
					h.tally.Count("lost")
				}
			}
		}()
		defer func() {
			close(queue)
			<-done
		}()
		buf := make([]byte, 65536)
		for {
			n, err := tun.Read(buf)
			if err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					return nil
				}
				return fmt.Errorf("read device %s: %w", *device, err)
			}
			h.tally.Count("packets")
			select {
			case queue <- held{time.Now().Add(*by), append([]byte(nil), buf[:n]...)}:
			default:
				h.tally.Count("lost")
			}
		}
	}
}
