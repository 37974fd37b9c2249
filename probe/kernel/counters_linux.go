package kernel

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/procfs"
)

// Counters samples the kernel's totals of a network namespace: TCP overflows,
// drops, aborts, resets and retransmits (net/snmp, net/netstat), connection
// tracking, and drops of queueing disciplines. In rampload's own namespace it
// also reads what is machine-wide: packets dropped before the stack (softnet),
// pressure (PSI) and OOM kills, with an event for each kill. In another one it
// also reads the network interfaces, which probe/host cannot see there.
//
// Totals of TCP and of connection tracking are read at every call, the others at
// most every 190 ms. They are since boot or
// since the namespace was made; take differences with [probe.Delta].
type Counters struct {
	opts      Options
	tcp       []*totals
	softnet   *procfs.File
	dev       *procfs.File
	conntrack conntrack
	qdisc     *qdisc
	pressure  []pressureFile
	oom       *oomKills
	missing   missing
	cores     []float64 // softnet drops by CPU
	wide      time.Time // when the costlier ones were read
	events    []probe.Event
	closed    bool
}

type pressureFile struct {
	name string
	file *procfs.File
}

// NewCounters opens a sampler of the totals of o.Namespace.
func NewCounters(o Options) (*Counters, error) {
	c := &Counters{opts: o}
	err := o.Namespace.Inside(func(netns int) error {
		for _, t := range []struct {
			file  string
			names []total
		}{{"snmp", snmpTotals()}, {"netstat", netstatTotals()}} {
			f, err := procfs.Open(filepath.Join(o.netDir(), t.file))
			if err != nil {
				c.missing.add(procfs.Unsupported("net/"+t.file, err, "/proc"))
				continue
			}
			c.tcp = append(c.tcp, &totals{name: t.file, file: f, wanted: t.names})
		}
		if len(c.tcp) == 0 {
			return c.missing[0]
		}
		if err := c.conntrack.open(o); err != nil {
			c.missing.add(err)
		}
		if o.root() == "/" {
			var err error
			if c.qdisc, err = openQdisc(netns); err != nil {
				c.missing.add(&probe.Unsupported{What: "queueing disciplines", Reason: err.Error(), Needs: "rtnetlink"})
			}
		}
		if c.ownHost() {
			c.openHost()
			return nil
		}
		var err error
		if c.dev, err = procfs.Open(filepath.Join(o.netDir(), "dev")); err != nil {
			c.missing.add(procfs.Unsupported("network interfaces", err, "/proc"))
		}
		return nil
	})
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("open kernel counters: %w", err)
	}
	return c, nil
}

// ownHost reports whether the machine-wide counters belong to this source.
func (c *Counters) ownHost() bool { return c.opts.Namespace.Own() && c.opts.Process == "" }

// openHost opens what counts for the whole machine.
func (c *Counters) openHost() {
	root := c.opts.root()
	var err error
	if c.softnet, err = procfs.Open(filepath.Join(root, "proc/net/softnet_stat")); err != nil {
		c.missing.add(procfs.Unsupported("softnet drops", err, "/proc"))
	}
	for _, p := range []struct{ name, file string }{
		{probe.CPUPressure, "cpu"}, {probe.MemoryPressure, "memory"}, {probe.IOPressure, "io"},
	} {
		f, err := procfs.Open(filepath.Join(root, "proc/pressure", p.file))
		if err == nil {
			_, err = f.Read() // a kernel booted without PSI has the files, and refuses to read them
		}
		if err != nil {
			_ = f.Close()
			c.missing.add(procfs.Unsupported("pressure", err, "a kernel with CONFIG_PSI, booted with psi=1"))
			break
		}
		c.pressure = append(c.pressure, pressureFile{p.name, f})
	}
	var u *probe.Unsupported
	if c.oom, u = openOOMKills(c.opts); u != nil {
		c.missing.add(u)
	}
}

// Source names the sampler in reports.
func (c *Counters) Source() probe.Source { return c.opts.source("kernel counters") }

// Missing says which counters could not be read.
func (c *Counters) Missing() []*probe.Unsupported { return c.missing }

// Close closes its files. It may be called again.
func (c *Counters) Close() error {
	c.closed = true
	errs := []error{c.softnet.Close(), c.dev.Close(), c.conntrack.close(), c.qdisc.Close(), c.oom.Close()}
	for _, t := range c.tcp {
		errs = append(errs, t.file.Close())
	}
	for _, p := range c.pressure {
		errs = append(errs, p.file.Close())
	}
	return errors.Join(errs...)
}

// Sample reads the counters. A file that cannot be read any more leaves a gap.
func (c *Counters) Sample(ctx context.Context, emit func(probe.Sample)) error {
	if err := cmp.Or(ctx.Err(), closedErr(c.closed)); err != nil {
		return err
	}
	var errs []error
	read := c.opts.Clock.Stamp(emit)
	put := func(name, instance string, v, limit float64) {
		read(probe.Reading{Metric: c.opts.metric(name, instance), Value: v, Limit: limit})
	}
	for _, t := range c.tcp {
		errs = append(errs, t.emit(put))
	}
	errs = append(errs, c.conntrack.emit(c.opts, &c.missing, put))
	if c.dev != nil {
		errs = append(errs, emitInterfaces(c.dev, put))
	}
	if now := time.Now(); now.Sub(c.wide) >= wideEvery {
		c.wide = now
		errs = append(errs, c.emitWide(put))
	}
	return errors.Join(errs...)
}

// wideEvery is how often the counters are read at most that the kernel adds up
// over all CPUs or sends as messages, which cost more than those of TCP: at every
// reading of 4 Hz, however it jitters, and at every second one of 10 Hz.
const wideEvery = 190 * time.Millisecond

// emitWide reads queueing disciplines and what counts for the whole machine.
func (c *Counters) emitWide(put func(name, instance string, v, limit float64)) error {
	var errs []error
	if c.qdisc != nil {
		errs = append(errs, c.qdisc.emit(put))
	}
	if c.softnet != nil {
		errs = append(errs, c.emitSoftnet(put))
	}
	for _, p := range c.pressure {
		b, err := p.file.Read()
		if v, ok := pressureTotal(b); ok {
			put(p.name, "", v, probe.NoLimit())
		}
		errs = append(errs, err)
	}
	if c.oom != nil {
		n, kills, err := c.oom.read()
		if err == nil {
			put(probe.OOMKills, "", n, probe.NoLimit())
		}
		errs = append(errs, err)
		now := c.opts.Clock.Now()
		for _, k := range kills {
			k.At, k.Source, k.Host = now, c.Source(), c.opts.host()
			c.events = append(c.events, k)
		}
	}
	return errors.Join(errs...)
}

// DrainEvents hands over the OOM kills seen since the last call.
func (c *Counters) DrainEvents(emit func(probe.Event)) {
	for _, e := range c.events {
		emit(e)
	}
	c.events = c.events[:0]
}

// total says which number of net/snmp or net/netstat is which metric.
type total struct{ metric, group, field string }

func snmpTotals() []total {
	return []total{
		{probe.OutRsts, "Tcp", "OutRsts"},
		{probe.EstabResets, "Tcp", "EstabResets"},
		{probe.AttemptFails, "Tcp", "AttemptFails"},
		{probe.RetransSegs, "Tcp", "RetransSegs"},
	}
}

func netstatTotals() []total {
	return []total{
		{probe.ListenOverflows, "TcpExt", "ListenOverflows"},
		{probe.ListenDrops, "TcpExt", "ListenDrops"},
		{probe.ReqQueueFullDrop, "TcpExt", "TCPReqQFullDrop"},
		{probe.AbortOnMemory, "TcpExt", "TCPAbortOnMemory"},
		{probe.TCPMemoryPressures, "TcpExt", "TCPMemoryPressures"},
		{probe.EmbryonicRsts, "TcpExt", "EmbryonicRsts"},
		{probe.AbortOnData, "TcpExt", "TCPAbortOnData"},
		{probe.AbortOnClose, "TcpExt", "TCPAbortOnClose"},
		{probe.AbortOnTimeout, "TcpExt", "TCPAbortOnTimeout"},
		{probe.AbortOnLinger, "TcpExt", "TCPAbortOnLinger"},
		{probe.SynRetrans, "TcpExt", "TCPSynRetrans"},
		{probe.TCPTimeouts, "TcpExt", "TCPTimeouts"},
		{probe.LostRetransmit, "TcpExt", "TCPLostRetransmit"},
	}
}

// totals reads a file of the form "Group: name name\nGroup: 1 2\n". The names
// are the kernel's, and their places change from release to release, so the
// places are found at the first reading.
type totals struct {
	name   string
	file   *procfs.File
	wanted []total
	places map[string][]place // by group
}

type place struct {
	field  int
	metric string
}

func (t *totals) emit(put func(name, instance string, v, limit float64)) error {
	b, err := t.file.Read()
	if err != nil {
		return fmt.Errorf("read net/%s: %w", t.name, err)
	}
	for len(b) > 0 {
		var names, values []byte
		names, b = procfs.Line(b)
		values, b = procfs.Line(b)
		group, names := procfs.Field(names)
		same, values := procfs.Field(values)
		if len(group) == 0 || !bytes.Equal(group, same) {
			return fmt.Errorf("read net/%s: no values for %q", t.name, group)
		}
		places, known := t.places[string(group)]
		if !known {
			places = t.find(group, names)
		}
		at := 0
		for _, p := range places {
			var v []byte
			for ; at <= p.field; at++ {
				v, values = procfs.Field(values)
			}
			if n, ok := procfs.Uint(v); ok {
				put(p.metric, "", float64(n), probe.NoLimit())
			}
		}
	}
	return nil
}

// find notes the places of the wanted names of a group, in ascending order.
func (t *totals) find(group, names []byte) []place {
	if t.places == nil {
		t.places = map[string][]place{}
	}
	var places []place
	for i := 0; ; i++ {
		var name []byte
		if name, names = procfs.Field(names); len(name) == 0 {
			break
		}
		for _, w := range t.wanted {
			if w.field == string(name) && w.group+":" == string(group) {
				places = append(places, place{i, w.metric})
			}
		}
	}
	t.places[string(group)] = places
	return places
}

// emitSoftnet sums the second column of net/softnet_stat over all CPUs. Each is
// a counter of 32 bits that wraps, so the sum is kept by differences.
func (c *Counters) emitSoftnet(put func(name, instance string, v, limit float64)) error {
	b, err := c.softnet.Read()
	if err != nil {
		return fmt.Errorf("read softnet drops: %w", err)
	}
	sum := 0.0
	for i := 0; len(b) > 0; i++ {
		var line []byte
		line, b = procfs.Line(b)
		v, ok := procfs.Hex(procfs.Nth(line, 1))
		if !ok {
			return fmt.Errorf("read softnet drops: line %q", line)
		}
		sum += unwrap(&c.cores, i, float64(v))
	}
	put(probe.SoftnetDrops, "", sum, probe.NoLimit())
	return nil
}

// unwrap returns the total of the i-th of several 32-bit counters, going on
// above 2³² when it wraps. last holds the totals so far.
func unwrap(last *[]float64, i int, v float64) float64 {
	const full = 1 << 32
	for len(*last) <= i {
		*last = append(*last, v)
	}
	before := (*last)[i]
	turns := before - float64(uint64(before)%full)
	if delta, restarted := probe.Delta(before-turns, v); restarted {
		(*last)[i] = v
	} else {
		(*last)[i] = before + delta
	}
	return (*last)[i]
}

// pressureTotal reads the total of the line "some" of a PSI file, µs.
func pressureTotal(b []byte) (float64, bool) {
	line, _ := procfs.Line(b)
	_, text, ok := bytes.Cut(line, []byte("total="))
	if !ok || !bytes.HasPrefix(line, []byte("some")) {
		return 0, false
	}
	v, ok := procfs.Uint(text)
	return float64(v), ok
}

// maxInterfaces bounds the interfaces that have series of their own.
const maxInterfaces = 16

// emitInterfaces reads net/dev: 8 columns received, 8 sent.
func emitInterfaces(f *procfs.File, put func(name, instance string, v, limit float64)) error {
	b, err := f.Read()
	if err != nil {
		return fmt.Errorf("read network interfaces: %w", err)
	}
	for n := 0; len(b) > 0 && n < maxInterfaces; {
		var line []byte
		line, b = procfs.Line(b)
		name, values, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue // heading
		}
		var v [16]float64
		for i := range v {
			var field []byte
			field, values = procfs.Field(values)
			x, ok := procfs.Uint(field)
			if !ok {
				return fmt.Errorf("read network interfaces: line %q", line)
			}
			v[i] = float64(x)
		}
		n++
		i := string(bytes.TrimSpace(name))
		put(probe.NetReceived, i, v[0], probe.NoLimit())
		put(probe.NetSent, i, v[8], probe.NoLimit())
		put(probe.NICErrors, i, v[2]+v[10], probe.NoLimit())
		put(probe.NICDrops, i, v[3]+v[11], probe.NoLimit())
	}
	return nil
}
