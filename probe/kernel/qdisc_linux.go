package kernel

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

// qdisc asks for the drops of queueing disciplines (rtnetlink(7)).
type qdisc struct {
	conn  *netlink.Conn
	names map[int32]string // of interfaces
}

// Attributes of a queueing discipline (include/uapi/linux/{rtnetlink,
// gen_stats}.h).
const (
	tcaStats2      = 7
	tcaStatsQueue  = 3
	tcHandleRoot   = 0xffffffff
	sizeofTcmsg    = 20
	queueDropsAt   = 8 // in struct gnet_stats_queue: qlen, backlog, drops
	sizeofIfinfo   = 16
	ifInterfaceAt  = 4
	tcmsgInterface = 4
	tcmsgParent    = 12
)

func openQdisc(netns int) (*qdisc, error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{NetNS: netns})
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	return &qdisc{conn: conn, names: map[int32]string{}}, nil
}

// Close closes its socket; closing none does nothing.
func (q *qdisc) Close() error {
	if q == nil {
		return nil
	}
	return q.conn.Close()
}

// emit puts the drops of the root discipline of each interface, which include
// those of its classes. Interfaces without a queue cannot drop there.
func (q *qdisc) emit(put func(name, instance string, v, limit float64)) error {
	messages, err := q.conn.Execute(dump(unix.RTM_GETQDISC, make([]byte, sizeofTcmsg)))
	if err != nil {
		return fmt.Errorf("ask for queueing disciplines: %w", err)
	}
	n := 0
	for _, m := range messages {
		if len(m.Data) < sizeofTcmsg || binary.NativeEndian.Uint32(m.Data[tcmsgParent:]) != tcHandleRoot {
			continue
		}
		drops, ok := qdiscDrops(m.Data[sizeofTcmsg:])
		if !ok {
			continue
		}
		put(probe.QdiscDrops, q.name(int32(binary.NativeEndian.Uint32(m.Data[tcmsgInterface:]))), float64(drops), probe.NoLimit())
		if n++; n == maxInterfaces {
			break
		}
	}
	return nil
}

// qdiscDrops reads the drops from the attributes of a discipline; false for one
// that keeps no queue.
func qdiscDrops(b []byte) (drops uint32, ok bool) {
	attrs, err := netlink.NewAttributeDecoder(b)
	if err != nil {
		return 0, false
	}
	for attrs.Next() {
		switch attrs.Type() {
		case unix.TCA_KIND:
			if attrs.String() == "noqueue" {
				return 0, false
			}
		case tcaStats2:
			attrs.Nested(func(stats *netlink.AttributeDecoder) error {
				for stats.Next() {
					if b := stats.Bytes(); stats.Type() == tcaStatsQueue && len(b) >= queueDropsAt+4 {
						drops, ok = binary.NativeEndian.Uint32(b[queueDropsAt:]), true
					}
				}
				return stats.Err()
			})
		}
	}
	return drops, ok && attrs.Err() == nil
}

// name returns the name of an interface, asking for all when it is a new one.
func (q *qdisc) name(index int32) string {
	if name, ok := q.names[index]; ok {
		return name
	}
	messages, err := q.conn.Execute(dump(unix.RTM_GETLINK, make([]byte, sizeofIfinfo)))
	if err == nil {
		for _, m := range messages {
			if len(m.Data) < sizeofIfinfo {
				continue
			}
			attrs, err := netlink.NewAttributeDecoder(m.Data[sizeofIfinfo:])
			if err != nil {
				continue
			}
			for attrs.Next() {
				if attrs.Type() == unix.IFLA_IFNAME {
					q.names[int32(binary.NativeEndian.Uint32(m.Data[ifInterfaceAt:]))] = attrs.String()
				}
			}
		}
	}
	if _, ok := q.names[index]; !ok {
		q.names[index] = "interface " + strconv.Itoa(int(index))
	}
	return q.names[index]
}
