package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/procfs"
)

// conntrack reads connection tracking. Its module may come later, with the first
// firewall rule, so a missing file is looked for again.
type conntrack struct {
	count, max, stats *procfs.File
	netlink           *conntrackStats
	columns           map[string]int // of stats
	last              [3][]float64   // 32-bit counters by CPU
	opened            time.Time
}

// reopenAfter is how long a missing conntrack module is taken to stay missing.
const reopenAfter = 5 * time.Second

func (c *conntrack) open(o Options) *probe.Unsupported {
	c.opened = time.Now()
	dir := filepath.Join(o.root(), "proc/sys/net/netfilter")
	var err error
	if c.count, err = procfs.Open(filepath.Join(dir, "nf_conntrack_count")); err != nil {
		return procfs.Unsupported("conntrack", err, "the nf_conntrack module")
	}
	c.max, _ = procfs.Open(filepath.Join(dir, "nf_conntrack_max"))
	if c.stats, err = procfs.Open(filepath.Join(o.netDir(), "stat/nf_conntrack")); err == nil || o.root() != "/" {
		return nil
	}
	// A kernel without CONFIG_NF_CONNTRACK_PROCFS tells root only.
	netns, nsErr := os.Open("/proc/thread-self/ns/net")
	if nsErr != nil {
		return procfs.Unsupported("conntrack drops", nsErr, "/proc")
	}
	defer netns.Close()
	if c.netlink, err = openConntrackStats(int(netns.Fd())); err != nil {
		return procfs.Unsupported("conntrack drops", err, "CONFIG_NF_CONNTRACK_PROCFS, or root and CONFIG_NF_CT_NETLINK")
	}
	return nil
}

func (c *conntrack) close() error {
	return errors.Join(c.count.Close(), c.max.Close(), c.stats.Close(), c.netlink.Close())
}

func (c *conntrack) emit(o Options, missing *missing, put func(name, instance string, v, limit float64)) error {
	if c.count == nil {
		if time.Since(c.opened) < reopenAfter {
			return nil
		}
		err := o.Namespace.Inside(func(int) error {
			if u := c.open(o); c.count != nil {
				missing.drop("conntrack")
				missing.add(u)
			}
			return nil
		})
		if err != nil || c.count == nil {
			return err
		}
	}
	count, err := c.count.Uint()
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("read conntrack: %w", err)
	}
	limit := probe.NoLimit()
	if v, err := c.max.Uint(); err == nil {
		limit = v
	}
	put(probe.Conntrack, "", count, limit)

	stats, err := c.read()
	if err != nil {
		return fmt.Errorf("read conntrack drops: %w", err)
	}
	if stats != nil {
		put(probe.ConntrackInsertFail, "", stats[0], probe.NoLimit())
		put(probe.ConntrackDrop, "", stats[1], probe.NoLimit())
		put(probe.ConntrackInvalid, "", stats[2], probe.NoLimit())
	}
	return nil
}

// read returns insert_failed, drop and invalid, summed over the CPUs; nil if
// they cannot be read here.
func (c *conntrack) read() ([]float64, error) {
	if c.stats == nil && c.netlink == nil {
		return nil, nil
	}
	var sums [3]float64
	add := func(cpu int, values [3]float64) {
		for i, v := range values {
			sums[i] += unwrap(&c.last[i], cpu, v)
		}
	}
	if c.netlink != nil {
		return sums[:], c.netlink.each(add)
	}
	b, err := c.stats.Read()
	if err != nil {
		return nil, err
	}
	heading, b := procfs.Line(b)
	if c.columns == nil {
		c.columns = map[string]int{}
		for i, name := range bytes.Fields(heading) {
			c.columns[string(name)] = i
		}
	}
	for cpu := 0; len(b) > 0; cpu++ {
		var line []byte
		line, b = procfs.Line(b)
		var values [3]float64
		for i, name := range [...]string{"insert_failed", "drop", "invalid"} {
			column, ok := c.columns[name]
			v, okV := procfs.Hex(procfs.Nth(line, column))
			if !ok || !okV {
				return nil, fmt.Errorf("no column %s", name)
			}
			values[i] = float64(v)
		}
		add(cpu, values)
	}
	return sums[:], nil
}

// conntrackStats asks for the counters of connection tracking by CPU
// (ctnetlink), where /proc does not have them.
type conntrackStats struct{ conn *netlink.Conn }

// Attributes and message of ctnetlink (include/uapi/linux/netfilter/
// nfnetlink_conntrack.h). The numbers are big endian, as all of nfnetlink's.
const (
	nfnlSubsysCtnetlink      = 1
	ipctnlMsgCtGetStatsCPU   = 4
	ctaStatsInvalid          = 4
	ctaStatsInsertFailed     = 9
	ctaStatsDrop             = 10
	sizeofNfgenmsg           = 4
	conntrackStatsCPURequest = nfnlSubsysCtnetlink<<8 | ipctnlMsgCtGetStatsCPU
)

func openConntrackStats(netns int) (*conntrackStats, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{NetNS: netns})
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	s := &conntrackStats{conn}
	if err := s.each(func(int, [3]float64) {}); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return s, nil
}

// Close closes its socket; closing none does nothing.
func (s *conntrackStats) Close() error {
	if s == nil {
		return nil
	}
	return s.conn.Close()
}

// each calls f with insert_failed, drop and invalid of each CPU.
func (s *conntrackStats) each(f func(cpu int, values [3]float64)) error {
	messages, err := s.conn.Execute(dump(conntrackStatsCPURequest, make([]byte, sizeofNfgenmsg)))
	if err != nil {
		return fmt.Errorf("ask for conntrack counters: %w", err)
	}
	for cpu, m := range messages {
		if len(m.Data) < sizeofNfgenmsg {
			return errors.New("ask for conntrack counters: message too short")
		}
		attrs, err := netlink.NewAttributeDecoder(m.Data[sizeofNfgenmsg:])
		if err != nil {
			return fmt.Errorf("read conntrack counters: %w", err)
		}
		attrs.ByteOrder = binary.BigEndian
		var v [3]float64
		for attrs.Next() {
			switch attrs.Type() {
			case ctaStatsInsertFailed:
				v[0] = float64(attrs.Uint32())
			case ctaStatsDrop:
				v[1] = float64(attrs.Uint32())
			case ctaStatsInvalid:
				v[2] = float64(attrs.Uint32())
			}
		}
		if err := attrs.Err(); err != nil {
			return fmt.Errorf("read conntrack counters: %w", err)
		}
		f(cpu, v)
	}
	return nil
}

// dump asks for all that a kernel's table holds.
func dump(kind netlink.HeaderType, data []byte) netlink.Message {
	return netlink.Message{Header: netlink.Header{Type: kind, Flags: netlink.Request | netlink.Dump}, Data: data}
}
