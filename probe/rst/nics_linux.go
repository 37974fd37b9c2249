package rst

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// nic is a network interface.
type nic struct {
	index  int
	name   string
	hatype uint16 // ARPHRD_* of linux/if_arp.h
}

func (n nic) loopback() bool { return n.hatype == arpLoopback }

// nics follows the interfaces of one namespace: each is attached to when it comes,
// and closed when it is gone.
type nics struct {
	netns    string
	attach   func(nic) (io.Closer, error) // called in the namespace
	attached map[int]attachedNIC
	news     *netlink.Conn // nil: the kernel tells no news
	changed  atomic.Bool
	done     chan struct{}
}

type attachedNIC struct {
	nic
	closer io.Closer // nil: it cannot be attached to
	err    error
}

// followNICs attaches to all interfaces that there are; it fails if there is none
// that lets itself be attached to. Close the result.
func followNICs(netns string, attach func(nic) (io.Closer, error)) (*nics, error) {
	n := &nics{netns: netns, attach: attach, attached: map[int]attachedNIC{}, done: make(chan struct{})}
	err := onNetns(netns, func() (err error) {
		const links = 1 // RTMGRP_LINK of linux/rtnetlink.h
		n.news, err = netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{Groups: links})
		return err
	})
	if err != nil {
		n.news = nil
		if netns != "" && errors.Is(err, unix.ENOENT) {
			return nil, err
		}
	}
	if n.news != nil {
		go n.listen()
	} else {
		close(n.done)
	}
	if err := n.sync(); err != nil {
		n.close()
		return nil, err
	}
	var failed error
	for _, a := range n.attached {
		if a.closer != nil {
			return n, nil
		}
		failed = a.err
	}
	n.close()
	if failed == nil {
		failed = errors.New("list interfaces: there are none")
	}
	return nil, failed
}

func (n *nics) listen() {
	defer close(n.done)
	for {
		// What the news are does not matter; when they are too many some are lost,
		// which is news, too.
		if _, err := n.news.Receive(); err != nil && !errors.Is(err, unix.ENOBUFS) {
			return
		}
		n.changed.Store(true)
	}
}

// update attaches to what has come since the last call.
func (n *nics) update() error {
	if !n.changed.Swap(false) {
		return nil
	}
	return n.sync()
}

func (n *nics) sync() error {
	return onNetns(n.netns, func() error {
		list, err := listNICs()
		if err != nil {
			return err
		}
		gone := map[int]bool{}
		for index := range n.attached {
			gone[index] = true
		}
		for _, i := range list {
			delete(gone, i.index)
			if _, have := n.attached[i.index]; have {
				continue
			}
			c, err := n.attach(i)
			if errors.Is(err, unix.ENODEV) {
				continue // it has gone meanwhile
			}
			n.attached[i.index] = attachedNIC{i, c, err}
		}
		for index := range gone {
			n.attached[index].close()
			delete(n.attached, index)
		}
		return nil
	})
}

// failed returns the interfaces that cannot be attached to.
func (n *nics) failed() (list []attachedNIC) {
	for _, a := range n.attached {
		if a.closer == nil {
			list = append(list, a)
		}
	}
	return list
}

func (n *nics) close() {
	if n.news != nil {
		_ = n.news.Close()
	}
	<-n.done
	for _, a := range n.attached {
		a.close()
	}
}

func (a attachedNIC) close() {
	if a.closer != nil {
		_ = a.closer.Close()
	}
}

// listNICs lists the interfaces of the calling thread's namespace.
func listNICs() ([]nic, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	defer unix.Close(fd)
	var list []nic
	for _, i := range interfaces {
		n := nic{index: i.Index, name: i.Name, hatype: unix.ARPHRD_ETHER}
		if i.Flags&net.FlagLoopback != 0 {
			n.hatype = arpLoopback
		} else if r, err := unix.NewIfreq(i.Name); err == nil && unix.IoctlIfreq(fd, unix.SIOCGIFHWADDR, r) == nil {
			n.hatype = r.Uint16() // the family of the hardware's address
		}
		list = append(list, n)
	}
	return list, nil
}
