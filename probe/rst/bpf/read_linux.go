package bpf

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
)

// Read hands over the resets since the last call, in the order of their CPUs, and
// then those for which the ring had no room, counted.
func (programs *Programs) Read(visit func(Reset)) error {
	programs.ring.SetDeadline(time.Now())
	for {
		err := programs.ring.ReadInto(&programs.record)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return fmt.Errorf("read ring of resets: %w", err)
		}
		r, ok := programs.decode(programs.record.RawSample)
		if !ok {
			programs.lost++
			continue
		}
		visit(r)
	}
	return programs.folded(visit)
}

// decode reads one record of the ring; ok is false if it is too short. The ring may
// hand over a few bytes more.
func (programs *Programs) decode(raw []byte) (r Reset, ok bool) {
	var e traceEvent
	if len(raw) < int(unsafe.Sizeof(e)) {
		return r, false
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&e)), unsafe.Sizeof(e)), raw)
	r = Reset{
		Kind: Kind(e.Kind), At: e.At, Count: 1, Socket: e.Sock, State: stateName(e.State),
		Answer: e.Answer != 0, TCPFlags: e.TcpFlags, Netns: e.Netns, Cookie: e.Cookie, Cgroup: e.Cgroup,
		Local: addrPort(e.Family, e.Local, e.LocalPort), Remote: addrPort(e.Family, e.Remote, e.RemotePort),
		Current: Process{int32(e.Pid), int32(e.Tid), text(e.Comm[:])},
		Owner:   Process{int32(e.OwnerPid), int32(e.OwnerTid), text(e.OwnerComm[:])},
	}
	switch {
	case e.Reject != 0:
		r.Kind, r.Reason = Rejected, NetfilterReject
		r.Verdict = verdict(e.Hook, e.Table[:], e.Chain[:])
	case r.Kind == Sent:
		r.Reason = programs.kernel.resets.name(e.Reason)
		if !programs.kernel.resetReason {
			r.Reason = ""
		}
	}
	if n := min(int(e.Frames), len(e.Stack)); n > 0 {
		if names := programs.symbols.find(e.Stack[:n]); names[0] != "" {
			r.Stack = names
		}
	}
	return r, true
}

func (programs *Programs) folded(visit func(Reset)) error {
	return drain(programs.maps["folded"], func(k *traceFoldedKey, n *uint64) {
		r := Reset{
			Kind: Kind(k.Kind), Count: *n, State: stateName(k.State), Answer: k.Answer != 0, Netns: k.Netns,
			Local: addrPort(k.Family, k.Local, k.LocalPort), Remote: addrPort(k.Family, k.Remote, k.RemotePort),
		}
		if k.Reject != 0 {
			r.Kind, r.Reason = Rejected, NetfilterReject
		} else if r.Kind == Sent && programs.kernel.resetReason {
			r.Reason = programs.kernel.resets.name(k.Reason)
		}
		visit(r)
	})
}

// Retransmits hands over the retransmissions since the last call.
func (programs *Programs) Retransmits(visit func(Retransmits)) error {
	return drain(programs.maps["retransmits"], func(k *traceFlow, c *traceCounted) {
		visit(Retransmits{
			Local: addrPort(k.Family, k.Local, k.LocalPort), Remote: addrPort(k.Family, k.Remote, k.RemotePort),
			State: stateName(k.State), Netns: k.Netns, Count: c.Count, First: c.First,
		})
	})
}

// drain takes all entries out of a map. One that is counted up between the reading
// and the taking goes with its latest value.
func drain[K, V any](m *ebpf.Map, visit func(*K, *V)) error {
	var keys []K
	var k K
	var v V
	for it := m.Iterate(); it.Next(&k, &v); {
		keys = append(keys, k)
	}
	for i := range keys {
		err := m.LookupAndDelete(&keys[i], &v)
		if errors.Is(err, ebpf.ErrNotSupported) || err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			// Before Linux 5.14 hash maps cannot do both at once.
			if err = m.Lookup(&keys[i], &v); err == nil {
				err = m.Delete(&keys[i])
			}
		}
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read counts of the kernel: %w", err)
		}
		visit(&keys[i], &v)
	}
	return nil
}

// Drops hands over what was dropped since the last call. The counts stay in the
// kernel, so that none is lost between two readings.
func (programs *Programs) Drops(visit func(Drop)) error {
	var k traceDropKey
	var v traceDrop
	it := programs.maps["drops"].Iterate()
	for it.Next(&k, &v) {
		before := programs.dropped[k]
		if v.Count <= before {
			continue
		}
		programs.dropped[k] = v.Count
		d := Drop{
			Reason: programs.reason(&k), Packet: packetName(k.Packet), Port: k.Port, Netns: k.Netns, Interface: text(v.Dev[:]),
			Source: addrPort(v.Family, v.Source, v.SourcePort), Dest: addrPort(v.Family, v.Dest, v.DestPort),
			Count: v.Count - before, First: v.First, Last: v.Last,
		}
		if before > 0 {
			d.First = v.Last
		}
		if k.By == byTable || k.By == byReject || k.By == byFull || k.By == byInsert {
			d.Verdict = verdict(k.Hook, k.Table[:], k.Chain[:])
		}
		for _, caller := range programs.symbols.find(k.Callers[:]) {
			if hook := hookOf(caller); hook != "" {
				d.Hook = hook
				break
			}
		}
		if k.Location != 0 {
			d.Where = programs.symbols.find([]uint64{k.Location})[0]
		}
		visit(d)
	}
	if err := it.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return fmt.Errorf("read drops of the kernel: %w", err)
	}
	return nil
}

// hookOf is the hook that a function of the kernel asks netfilter at.
func hookOf(caller string) string {
	for hook, functions := range map[string][]string{
		"PREROUTING":  {"ip_rcv", "ip_sublist_rcv", "ipv6_rcv", "ip6_sublist_rcv", "ipv6_list_rcv", "ip_list_rcv"},
		"INPUT":       {"ip_local_deliver", "ip6_input"},
		"FORWARD":     {"ip_forward", "ip6_forward"},
		"OUTPUT":      {"__ip_local_out", "ip_local_out", "__ip6_local_out", "ip6_local_out", "ip6_xmit"},
		"POSTROUTING": {"ip_output", "ip6_output", "ip_mc_output"},
	} {
		if slices.Contains(functions, caller) {
			return hook
		}
	}
	return ""
}

// Who decided about a packet, as in trace.bpf.c.
const (
	byTable = 1 + iota
	byFull
	byInsert
	byAcceptQueue
	bySynQueue
	byReject
)

func (programs *Programs) reason(k *traceDropKey) string {
	switch k.By {
	case byTable:
		return NetfilterDrop
	case byFull:
		return ConntrackFull
	case byInsert:
		return ConntrackInsert
	case byAcceptQueue:
		return AcceptQueueFull
	case bySynQueue:
		return SynQueueFull
	case byReject:
		return NetfilterReject
	}
	if !programs.kernel.dropReason {
		if k.Location > programs.netfilter[0] && k.Location <= programs.netfilter[1] {
			return NetfilterDrop
		}
		return NotSpecified
	}
	return programs.kernel.drops.name(k.Reason)
}

func packetName(kind uint8) Packet {
	names := [...]Packet{PacketOther, PacketSYN, PacketSYNACK, PacketRST, PacketFIN, PacketTooBig}
	if int(kind) < len(names) {
		return names[kind]
	}
	return PacketOther
}

// Delays hands over how long packets waited since the last call.
func (programs *Programs) Delays(visit func(Delay)) error {
	var k traceWaitKey
	var cpus []traceWaits
	it := programs.maps["delays"].Iterate()
	for it.Next(&k, &cpus) {
		d := Delay{Kind: WaitAccept, Port: k.Port, Netns: k.Netns}
		if k.Kind == 1 {
			d.Kind = WaitRead
		}
		before, total := programs.waited[k], [32]uint64{}
		any := false
		for i := range total {
			for _, c := range cpus {
				total[i] += c.Buckets[i]
			}
			d.Buckets[i] = total[i] - before[i]
			any = any || d.Buckets[i] > 0
		}
		programs.waited[k] = total
		if any {
			visit(d)
		}
	}
	if err := it.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return fmt.Errorf("read delays of the kernel: %w", err)
	}
	return nil
}

// Lost returns how many resets, drops and retransmissions since the last call
// could not even be counted by kind: because the maps were full, or, for resets,
// because the kernel did not run a program for one while it ran the same program on
// that CPU already (told since Linux 5.12).
func (programs *Programs) Lost() (uint64, error) {
	total := programs.lost
	for _, one := range programs.tellers {
		if stats, err := one.Stats(); err == nil {
			total += stats.RecursionMisses
		}
	}
	for i := range uint32(lostStrays) {
		n, err := programs.losses(i)
		if err != nil {
			return 0, err
		}
		total += n
	}
	n := total - programs.told
	programs.told = total
	return n, nil
}

// lostStrays is the place of strays among what was lost (LOST_STRAYS).
const lostStrays = 4

// Strays returns how many resets that no socket sent, and whose ports nobody watches, were
// left out because there were more than PerSecond of them in a second.
func (programs *Programs) Strays() (uint64, error) { return programs.losses(lostStrays) }

// losses returns how many events of a kind were lost on all processors.
func (programs *Programs) losses(kind uint32) (total uint64, err error) {
	var cpus []uint64
	if err := programs.maps["lost"].Lookup(kind, &cpus); err != nil {
		return 0, fmt.Errorf("read losses of the kernel: %w", err)
	}
	for _, n := range cpus {
		total += n
	}
	return total, nil
}

func addrPort(family uint16, raw [16]uint8, port uint16) netip.AddrPort {
	const inet, inet6 = 2, 10
	switch family {
	case inet:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(raw[:4])), port)
	case inet6:
		return netip.AddrPortFrom(netip.AddrFrom16(raw).Unmap(), port)
	}
	return netip.AddrPort{}
}

// text reads a C string.
func text(b []int8) string {
	out := make([]byte, 0, len(b))
	for _, c := range b {
		if c == 0 {
			break
		}
		out = append(out, byte(c))
	}
	return string(out)
}

func verdict(hook uint8, table, chain []int8) Verdict {
	names := [...]string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING", "INGRESS"}
	v := Verdict{Table: text(table), Chain: text(chain)}
	if int(hook) < len(names) {
		v.Hook = names[hook]
	}
	return v
}

// stateName is the kernel's name of a TCP state (include/net/tcp_states.h).
func stateName(s uint8) string {
	names := [...]string{
		"", "TCP_ESTABLISHED", "TCP_SYN_SENT", "TCP_SYN_RECV", "TCP_FIN_WAIT1", "TCP_FIN_WAIT2", "TCP_TIME_WAIT",
		"TCP_CLOSE", "TCP_CLOSE_WAIT", "TCP_LAST_ACK", "TCP_LISTEN", "TCP_CLOSING", "TCP_NEW_SYN_RECV", "TCP_BOUND_INACTIVE",
	}
	if int(s) < len(names) {
		return names[s]
	}
	return ""
}

// Attached returns how many programs run, by name; for tests and the curious.
func (programs *Programs) Attached() map[string]bool { return programs.attached }
