package neighbours

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

// Watcher tells changes of a network namespace's neighbours ([probe.NeighbourChange])
// and the addresses that the namespace has itself ([probe.AddressHeld]). A Watcher is
// used once.
type Watcher struct {
	options Options
	table   table
	devices map[int32]device
	held    map[place]bool // addresses that the namespace has
	first   bool           // what is told was there before
	seen    map[place]bool // of held, while all is read again; else nil
}

// device is a network interface.
type device struct {
	name     string
	hardware string // "02:00:0a:5a:02:02"; empty for one without
	shared   bool   // others can have neighbours there: neither loopback nor NOARP
}

// New returns a watcher, which opens nothing until it watches.
func New(o Options) *Watcher {
	return &Watcher{options: o, table: table{last: map[place]string{}}, devices: map[int32]device{}, held: map[place]bool{}}
}

// Source names the watcher in reports.
func (w *Watcher) Source() probe.Source { return w.options.source() }

// open opens what the kernel tells in the namespace, and what it is asked by.
func (w *Watcher) open() (changes, asked *netlink.Conn, err error) {
	err = w.options.Namespace.Inside(func(fd int) error {
		if changes, err = netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{NetNS: fd}); err != nil {
			return fmt.Errorf("open netlink: %w", err)
		}
		// What changes while the table is read is told after it.
		for _, group := range []uint32{unix.RTNLGRP_LINK, unix.RTNLGRP_NEIGH, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR} {
			if err := changes.JoinGroup(group); err != nil {
				return fmt.Errorf("follow netlink group %d: %w", group, err)
			}
		}
		if asked, err = netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{NetNS: fd}); err != nil {
			return fmt.Errorf("open netlink: %w", err)
		}
		return nil
	})
	if err != nil && changes != nil {
		_ = changes.Close()
	}
	return changes, asked, err
}

// Watch tells changes until ctx is done. Its error matches [probe.ErrUnsupported] where
// the namespace may not be entered.
func (w *Watcher) Watch(ctx context.Context, emit func(probe.Event)) error {
	changes, asked, err := w.open()
	if err != nil {
		return fmt.Errorf("open neighbours of %s: %w", w.options.host(), err)
	}
	defer changes.Close()
	defer asked.Close()
	w.first = true
	if err = w.readAll(asked, emit); err != nil {
		return err
	}
	w.first = false
	stop := context.AfterFunc(ctx, func() { changes.Close() })
	defer stop()
	for {
		messages, err := changes.Receive()
		switch {
		case ctx.Err() != nil:
			w.tellLost(emit, w.table.lost)
			return nil
		case errors.Is(err, unix.ENOBUFS): // the kernel dropped what nobody had read
			w.tellLost(emit, 1)
			if err := w.readAgain(asked, emit); err != nil {
				return err
			}
			continue
		case err != nil:
			return fmt.Errorf("read neighbours of %s: %w", w.options.host(), err)
		}
		for _, m := range messages {
			w.take(m, emit)
		}
	}
}

func (w *Watcher) tellLost(emit func(probe.Event), n uint64) {
	if n > 0 {
		emit(probe.Event{Kind: probe.Lost, At: w.options.Clock.Now(), Source: w.Source(), Host: w.options.host(), Count: n})
	}
}

// readAll reads interfaces, own addresses and the neighbours that are known already.
func (w *Watcher) readAll(asked *netlink.Conn, emit func(probe.Event)) error {
	for _, ask := range []struct {
		kind netlink.HeaderType
		size int
	}{{unix.RTM_GETLINK, unix.SizeofIfInfomsg}, {unix.RTM_GETADDR, unix.SizeofIfAddrmsg}, {unix.RTM_GETNEIGH, sizeofNeighbour}} {
		messages, err := asked.Execute(netlink.Message{
			Header: netlink.Header{Type: ask.kind, Flags: netlink.Request | netlink.Dump}, Data: make([]byte, ask.size),
		})
		if err != nil {
			return fmt.Errorf("ask for neighbours of %s: %w", w.options.host(), err)
		}
		for _, m := range messages {
			w.take(m, emit)
		}
	}
	return nil
}

// readAgain reads everything anew, and tells also what is no more: a message of that may be
// among those that were lost.
func (w *Watcher) readAgain(asked *netlink.Conn, emit func(probe.Event)) error {
	w.seen = map[place]bool{}
	err := w.readAll(asked, emit)
	for at := range w.held {
		if err == nil && !w.seen[at] {
			w.hold(at, false, emit)
		}
	}
	w.seen = nil
	return err
}

// hold tells that the host has an address, or no more.
func (w *Watcher) hold(at place, has bool, emit func(probe.Event)) {
	d := w.devices[at.device]
	if w.seen != nil && has {
		w.seen[at] = true
	}
	if !d.shared || d.hardware == "" || w.held[at] == has || has && len(w.held) >= maxHeld {
		return
	}
	e := w.event(probe.AddressHeld, at.device)
	e.Local, e.State = netip.AddrPortFrom(at.addr, 0), d.hardware
	if delete(w.held, at); has {
		w.held[at], e.Value = true, 1
	}
	if w.first {
		e.Reason = probe.HeldBefore
	}
	emit(e)
}

func (w *Watcher) event(kind probe.EventKind, index int32) probe.Event {
	return probe.Event{
		Kind: kind, At: w.options.Clock.Now(), Source: w.Source(), Host: w.options.host(),
		Kernel: &probe.Kernel{Interface: w.devices[index].name},
	}
}

// take takes one message of the kernel.
func (w *Watcher) take(m netlink.Message, emit func(probe.Event)) {
	switch m.Header.Type {
	case unix.RTM_NEWLINK:
		if index, d, ok := parseDevice(m.Data); ok {
			w.devices[index] = d
		}
	case unix.RTM_DELLINK:
		if index, _, ok := parseDevice(m.Data); ok {
			delete(w.devices, index)
		}
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		if at, ok := parseAddress(m.Data); ok {
			w.hold(at, m.Header.Type == unix.RTM_NEWADDR, emit)
		}
	case unix.RTM_NEWNEIGH:
		at, hardware, ok := parseNeighbour(m.Data)
		if !ok {
			return
		}
		if before, changed := w.table.learn(at, hardware); changed {
			e := w.event(probe.NeighbourChange, at.device)
			e.Remote, e.Reason, e.State = netip.AddrPortFrom(at.addr, 0), before, hardware
			emit(e)
		}
	}
}

// Sizes and states of a struct ndmsg (include/uapi/linux/neighbour.h): u8 family, 3 bytes
// of padding, s32 interface, u16 state, u8 flags, u8 type.
const (
	sizeofNeighbour        = 12
	neighbourDevice        = 4
	neighbourState         = 8
	neighbourAddress       = 1 // NDA_DST
	neighbourHardware      = 2 // NDA_LLADDR
	stateNoARP             = 0x40
	linkFlags              = 8 // in struct ifinfomsg
	linkIndex              = 4
	addressScope           = 3 // in struct ifaddrmsg
	addressDevice          = 4
	longestHardware        = 32
	scopeUniverse     byte = 0
)

// parseNeighbour reads a neighbour; false for what is no IP address, or has no hardware
// address that was learned.
func parseNeighbour(b []byte) (at place, hardware string, ok bool) {
	if len(b) < sizeofNeighbour || b[0] != unix.AF_INET && b[0] != unix.AF_INET6 {
		return at, "", false
	}
	if binary.NativeEndian.Uint16(b[neighbourState:])&stateNoARP != 0 {
		return at, "", false
	}
	at.device = int32(binary.NativeEndian.Uint32(b[neighbourDevice:]))
	ok = attributes(b[sizeofNeighbour:], func(kind uint16, v []byte) {
		switch kind {
		case neighbourAddress:
			at.addr, _ = netip.AddrFromSlice(v)
		case neighbourHardware:
			hardware = hardwareText(v)
		}
	})
	return at, hardware, ok && at.addr.IsValid() && hardware != ""
}

// parseAddress reads an address that an interface has; false for those of loopback's or a
// link's scope.
func parseAddress(b []byte) (at place, ok bool) {
	if len(b) < unix.SizeofIfAddrmsg || b[addressScope] != scopeUniverse {
		return at, false
	}
	at.device = int32(binary.NativeEndian.Uint32(b[addressDevice:]))
	var local netip.Addr
	ok = attributes(b[unix.SizeofIfAddrmsg:], func(kind uint16, v []byte) {
		switch kind {
		case unix.IFA_ADDRESS:
			at.addr, _ = netip.AddrFromSlice(v)
		case unix.IFA_LOCAL: // of a point-to-point link the other is the peer's
			local, _ = netip.AddrFromSlice(v)
		}
	})
	if local.IsValid() {
		at.addr = local
	}
	return at, ok && at.addr.IsValid()
}

// parseDevice reads a network interface.
func parseDevice(b []byte) (index int32, d device, ok bool) {
	if len(b) < unix.SizeofIfInfomsg {
		return 0, d, false
	}
	flags := binary.NativeEndian.Uint32(b[linkFlags:])
	d.shared = flags&(unix.IFF_LOOPBACK|unix.IFF_NOARP) == 0
	ok = attributes(b[unix.SizeofIfInfomsg:], func(kind uint16, v []byte) {
		switch kind {
		case unix.IFLA_IFNAME:
			d.name = string(v[:max(0, len(v)-1)])
		case unix.IFLA_ADDRESS:
			d.hardware = hardwareText(v)
		}
	})
	return int32(binary.NativeEndian.Uint32(b[linkIndex:])), d, ok
}

func attributes(b []byte, f func(kind uint16, value []byte)) bool {
	attrs, err := netlink.NewAttributeDecoder(b)
	if err != nil {
		return false
	}
	for attrs.Next() {
		f(attrs.Type(), attrs.Bytes())
	}
	return attrs.Err() == nil
}

// hardwareText writes a hardware address; empty for one of zeros, which is none.
func hardwareText(b []byte) string {
	if len(b) > longestHardware {
		return ""
	}
	for _, x := range b {
		if x != 0 {
			return net.HardwareAddr(b).String()
		}
	}
	return ""
}
