package runlog_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// member is a machine of a made-up run, with a clock of its own.
type member struct {
	header runlog.Header
	behind time.Duration // what its clock reads less than the run's
}

func fleetHeader(role runlog.Role, name string) runlog.Header {
	h := header()
	h.Role, h.Member = role, name
	h.Targets = append(h.Targets, runlog.Target{Name: "payments", URL: "http://127.0.0.1:8081", Share: 1, ListenPort: 8081})
	return h
}

// addrs are the addresses of both targets; each worker meets them in another order.
func addrs(target uint16) []netip.AddrPort {
	return []netip.AddrPort{
		netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), 8080+target),
		netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), 8080+target),
	}
}

// randomRun fills logs with the same attempts: all in the first, and each in one of the
// others too.
func randomRun(r *rand.Rand, whole *runlog.Writer, workers []*runlog.Writer, members []member) {
	const windows, targets = 8, 2
	index := make([][]int, len(workers)) // by worker: the order in which it meets the addresses
	for i := range workers {
		index[i] = r.Perm(2)
	}
	for target := range uint16(targets) {
		for i, a := range addrs(target) {
			whole.Address(attack.Address{Target: target, Index: uint16(i + 1), Addr: a})
		}
		for w := range workers {
			for n, i := range index[w] {
				workers[w].Address(attack.Address{Target: target, Index: uint16(n + 1), Addr: addrs(target)[i]})
			}
		}
	}
	for i := range int32(windows) {
		for target := range uint16(targets) {
			sum := attack.Window{Target: target, Index: i}
			part := make([]attack.Window, len(workers))
			for w := range part {
				part[w] = attack.Window{Target: target, Index: i}
			}
			for range r.IntN(30) {
				remote := r.IntN(2)
				c := attack.Cell{
					DueWindow: i - int32(r.IntN(2)), Remote: uint16(remote + 1), Fault: attack.Fault(r.IntN(4)), Phase: attack.PhaseAwait,
					Reused: r.IntN(2) == 0, Attempts: 1, Requests: 1, WireResets: uint64(r.IntN(2)),
				}
				one := attack.Window{
					Target: target, Index: i, Scheduled: 1, Sent: 1, InFlight: 1, IdleConnSeconds: 0.5, Cells: []attack.Cell{c},
					FromDue: attack.Histogram{{Value: int64(r.IntN(9)), Count: 1}},
				}
				sum = sum.Merge(one)
				w := r.IntN(len(workers))
				c.Remote = uint16(slices.Index(index[w], remote) + 1)
				one.Cells = []attack.Cell{c}
				part[w] = part[w].Merge(one)
				if c.Fault == attack.None {
					continue
				}
				at := time.Duration(i)*250*time.Millisecond + time.Duration(r.IntN(250))*time.Millisecond
				f := attack.Failure{Attempt: attack.Attempt{Target: target, Request: r.Uint64N(1e6), Fault: c.Fault, Phase: c.Phase, Due: at, Start: at, End: at}}
				f.Conn.RemoteIndex = uint16(remote + 1)
				whole.Failure(f)
				f.Conn.RemoteIndex = c.Remote
				f.Due, f.Start, f.End = at-members[w].behind, at-members[w].behind, at-members[w].behind
				workers[w].Failure(f)
			}
			whole.Window(sum)
			for w := range workers {
				workers[w].Window(part[w])
			}
		}
	}
}

// However the load of a run is spread over workers, whatever their clocks read, and
// whether their records come as files or as parts of one, the merged log holds the
// same windows and failures as that of one machine that did it all.
func TestMergeOfWorkersIsTheWhole(t *testing.T) {
	for seed := range uint64(15) {
		r := rand.New(rand.NewPCG(seed, 2))
		members := make([]member, 1+r.IntN(4))
		files := make([]bytes.Buffer, len(members))
		writers := make([]*runlog.Writer, len(members))
		var wholeFile, leadFile bytes.Buffer
		lead := newWriter(t, &leadFile, fleetHeader(runlog.RoleCoordinator, ""))
		for i := range members {
			members[i] = member{fleetHeader(runlog.RoleWorker, string(rune('a'+i))), 2 * time.Duration(r.IntN(1_000_000_000)-500_000_000)}
			writers[i] = newWriter(t, &files[i], members[i].header)
			at := time.Second
			lead.Clock(runlog.ClockReading{
				Member: members[i].header.Member, Asked: at, Received: at + time.Millisecond - members[i].behind,
				Answered: at + 2*time.Millisecond - members[i].behind, Returned: at + 3*time.Millisecond,
			})
		}
		whole := newWriter(t, &wholeFile, fleetHeader(runlog.RoleAlone, ""))
		randomRun(r, whole, writers, members)
		for i, w := range writers {
			if err := w.Close(runlog.Trailer{Ended: time.Duration(i+1) * time.Second}); err != nil {
				t.Fatal(err)
			}
			copyParts(t, lead, i, bytes.NewReader(files[i].Bytes()))
		}
		if err := lead.Close(runlog.Trailer{Ended: 2 * time.Second}); err != nil {
			t.Fatal(err)
		}
		want := read(t, wholeFile.Bytes())
		got, err := runlog.Read(&leadFile)
		if err != nil {
			t.Fatal(err)
		}
		same(t, want, got)
		if got.Trailer == nil || got.Trailer.Ended != 2*time.Second {
			t.Errorf("trailer %+v", got.Trailer)
		}

		var logs []*runlog.Log
		for i := range members {
			logs = append(logs, read(t, files[i].Bytes()))
		}
		r.Shuffle(len(logs), func(i, j int) { logs[i], logs[j] = logs[j], logs[i] })
		merged, err := runlog.Merge(logs...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(canonical(want).Windows, canonical(merged).Windows, cmpopts.EquateEmpty()); len(members) > 1 && diff != "" {
			t.Fatalf("seed %d: files alone differ:\n%s", seed, diff)
		}
	}
}

func newWriter(t *testing.T, to *bytes.Buffer, h runlog.Header) *runlog.Writer {
	t.Helper()
	w, err := runlog.NewWriter(to, h)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// copyParts copies a run log into another as a part.
func copyParts(t *testing.T, to *runlog.Writer, number int, from *bytes.Reader) {
	t.Helper()
	records, err := runlog.NewReader(from)
	if err != nil {
		t.Fatal(err)
	}
	for {
		record, err := records.Next()
		if err != nil {
			return
		}
		to.Part(number, record)
	}
}

// canonical numbers addresses in order and sorts what has no order of its own.
func canonical(l *runlog.Log) *runlog.Log {
	number := map[attack.Address]uint16{}
	for _, a := range l.Addresses {
		number[attack.Address{Target: a.Target, Index: a.Index}] = uint16(slices.Index(addrs(a.Target), a.Addr) + 1)
	}
	out := &runlog.Log{}
	for _, windows := range l.Windows {
		var sorted []attack.Window
		for _, w := range windows {
			cells := slices.Clone(w.Cells)
			for i := range cells {
				cells[i].Remote = number[attack.Address{Target: w.Target, Index: cells[i].Remote}]
			}
			w.Cells = nil
			sorted = append(sorted, w.Merge(attack.Window{Cells: cells}))
		}
		out.Windows = append(out.Windows, sorted)
	}
	for _, f := range l.Failures {
		f.Conn.RemoteIndex = number[attack.Address{Target: f.Target, Index: f.Conn.RemoteIndex}]
		f.Conn.ID = 0
		out.Failures = append(out.Failures, f)
	}
	slices.SortFunc(out.Failures, func(a, b attack.Failure) int { return int(int64(a.Request) - int64(b.Request)) })
	return out
}

func same(t *testing.T, want, got *runlog.Log) {
	t.Helper()
	if diff := cmp.Diff(canonical(want), canonical(got), cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Fatalf("the merged log differs from the whole:\n%s", diff)
	}
}

// The samples of an agent come on the run's clock, under its name, with the error of
// the comparison.
func TestMergeOfAgent(t *testing.T) {
	var agentFile bytes.Buffer
	h := runlog.Header{RunID: "other", Role: runlog.RoleAgent, Member: "orders-1", Hosts: []runlog.Host{{Name: "orders-1", Addrs: []string{"10.0.0.1"}}}}
	agent := newWriter(t, &agentFile, h)
	metric := probe.Metric{Host: "orders-1", Process: "orders", PID: 3, Name: probe.OpenFiles}
	const boot = 100 * time.Hour // its clock began that much earlier
	for i := range 4 {
		agent.Samples([]probe.Sample{{At: boot + time.Duration(i)*time.Second, Reading: probe.Reading{Metric: metric, Value: float64(i), Limit: 64}}})
	}
	agent.Event(probe.Event{Kind: probe.ProcessExit, At: boot + 1500*time.Millisecond, Host: "orders-1", Source: probe.Source{Host: "orders-1", Name: "process orders"}})
	agent.Flush()

	var leadFile bytes.Buffer
	leadHeader := fleetHeader(runlog.RoleAlone, "")
	leadHeader.Hosts = []runlog.Host{{Name: "local"}, {Name: "orders-1"}}
	lead := newWriter(t, &leadFile, leadHeader)
	copyParts(t, lead, 7, bytes.NewReader(agentFile.Bytes()))
	for i := range 3 {
		at := time.Duration(i) * time.Second
		lead.Clock(runlog.ClockReading{Member: "orders-1", Asked: at, Received: boot + at + 4*time.Millisecond, Answered: boot + at + 4*time.Millisecond, Returned: at + 8*time.Millisecond})
	}
	if err := lead.Close(runlog.Trailer{Ended: time.Second}); err != nil {
		t.Fatal(err)
	}
	got, err := runlog.Read(&leadFile)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Series) != 1 || got.Series[0].Metric != metric || !slices.Equal(got.Series[0].At, []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second}) {
		t.Errorf("series %+v", got.Series)
	}
	if len(got.Events) != 1 || got.Events[0].At != 1500*time.Millisecond {
		t.Errorf("events %+v", got.Events)
	}
	host := got.Header.Hosts[1]
	if host.ClockError == nil || *host.ClockError < 4*time.Millisecond || *host.ClockError > 5*time.Millisecond || !slices.Equal(host.Addrs, []string{"10.0.0.1"}) {
		t.Errorf("host %+v with clock error %v", host, host.ClockError)
	}
	if s := got.Trailer.Sources; len(s) != 1 || s[0].State != probe.Partial || s[0].Source.Host != "orders-1" {
		t.Errorf("an agent that was cut short is %+v", s)
	}
}

func TestMergeRefusesAnotherRun(t *testing.T) {
	var a, b bytes.Buffer
	newWriter(t, &a, fleetHeader(runlog.RoleAlone, ""))
	other := fleetHeader(runlog.RoleWorker, "a")
	other.RunID = "ffffffffffffffff"
	newWriter(t, &b, other)
	if _, err := runlog.Merge(read(t, a.Bytes()), read(t, b.Bytes())); !errors.Is(err, runlog.ErrOtherRun) {
		t.Errorf("merged with another run: %v", err)
	}
}

// A part that is damaged ends there; the other parts and the log around it do not.
func TestDamagedPart(t *testing.T) {
	var whole bytes.Buffer
	lead := newWriter(t, &whole, fleetHeader(runlog.RoleCoordinator, ""))
	lead.Part(1, runlog.Record("W\x01\x02"))
	lead.Part(2, runlog.Record("H{"))
	var file bytes.Buffer
	worker := newWriter(t, &file, fleetHeader(runlog.RoleWorker, "a"))
	worker.Window(attack.Window{Index: 0, Sent: 5})
	copyParts(t, lead, 3, bytes.NewReader(file.Bytes()))
	lead.Part(3, runlog.Record("Wxx"))
	// A part within a part would let a small file nest without end.
	lead.Part(3, runlog.Record("R\x01W"))
	if err := lead.Close(runlog.Trailer{}); err != nil {
		t.Fatal(err)
	}
	got, err := runlog.Read(&whole)
	if err != nil || got.Trailer == nil || len(got.Parts) != 1 || len(got.Windows[0]) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
}

func FuzzReadParts(f *testing.F) {
	var whole, part bytes.Buffer
	w, _ := runlog.NewWriter(&part, fleetHeader(runlog.RoleWorker, "a"))
	w.Address(attack.Address{Target: 0, Index: 1, Addr: addrs(0)[0]})
	w.Window(attack.Window{Sent: 5, Cells: []attack.Cell{{Remote: 1, Attempts: 5, Requests: 5}}})
	w.Samples([]probe.Sample{{At: 5, Reading: probe.Reading{Metric: probe.Metric{Host: "local", Name: probe.CPU}, Value: 0.5, Limit: 1}}})
	lead, _ := runlog.NewWriter(&whole, fleetHeader(runlog.RoleCoordinator, ""))
	lead.Clock(runlog.ClockReading{Member: "a", Returned: 5})
	records, _ := runlog.NewReader(bytes.NewReader(part.Bytes()))
	for record, err := records.Next(); err == nil; record, err = records.Next() {
		lead.Part(1, record)
	}
	f.Add(part.Bytes())
	f.Add(whole.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		log, err := runlog.Read(bytes.NewReader(data))
		if (log == nil) == (err == nil) {
			t.Errorf("log %v, error %v", log, err)
		}
	})
}

// What was due of a lost worker's slice is unsent, less what its record turns out to
// count, however late it comes.
func TestMergeOfATakeover(t *testing.T) {
	window := func(index int32, scheduled uint64) attack.Window {
		return attack.Window{Index: index, Scheduled: scheduled, Sent: scheduled, Cells: []attack.Cell{{DueWindow: index, Attempts: scheduled, Requests: scheduled, Phase: attack.PhaseDone}}}
	}
	for name, c := range map[string]struct {
		recorded []attack.Window
		sent     uint64
		unsent   uint64
	}{
		"nothing came": {[]attack.Window{window(0, 10)}, 10 + 5, 3 + 10 + 10},
		"came late":    {[]attack.Window{window(0, 10), window(1, 3), window(2, 4)}, 10 + 3 + 4 + 5, 6 + 10},
		"all of it":    {[]attack.Window{window(0, 10), window(1, 3), window(2, 10), window(3, 10)}, 33 + 5, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var files [3]bytes.Buffer
			lead := newWriter(t, &files[0], fleetHeader(runlog.RoleCoordinator, ""))
			lead.Takeover(runlog.Takeover{Member: "a", Slice: 0, By: "b", From: 1, Until: 4, Due: [][]uint64{{3, 0}, {10, 0}, {10, 0}}, Why: "nothing was heard"})
			lost := newWriter(t, &files[1], fleetHeader(runlog.RoleWorker, "a"))
			if len(c.recorded) == 1 { // one of its requests was sent in a window that did not come
				c.recorded[0].Sent--
				c.sent--
				c.unsent++
			}
			for _, w := range c.recorded {
				lost.Window(w)
			}
			next := newWriter(t, &files[2], fleetHeader(runlog.RoleWorker, "b"))
			next.Window(window(4, 5))
			var logs []*runlog.Log
			for i, w := range []*runlog.Writer{lead, lost, next} {
				w.Flush()
				log, err := runlog.ReadParts(&files[i])
				if err != nil {
					t.Fatal(err)
				}
				logs = append(logs, log)
			}
			merged, err := runlog.Merge(logs...)
			if err != nil {
				t.Fatal(err)
			}
			var scheduled, sent, unsent uint64
			for _, w := range merged.Windows[0] {
				scheduled, sent, unsent = scheduled+w.Scheduled, sent+w.Sent, unsent+w.Unsent
			}
			if sent != c.sent || unsent != c.unsent || scheduled != sent+unsent {
				t.Errorf("%d sent and %d unsent of %d, want %d and %d", sent, unsent, scheduled, c.sent, c.unsent)
			}
			if len(merged.Takeovers) != 1 || len(merged.Events) != 1 || merged.Events[0].Kind != probe.Gap {
				t.Errorf("not marked: %+v, %+v", merged.Takeovers, merged.Events)
			}
		})
	}
}

// Wherever a log is cut, Whole finds where its last whole record ends.
func TestWhole(t *testing.T) {
	var file bytes.Buffer
	w := newWriter(t, &file, header())
	ends := []int{file.Len()}
	for i := range int32(20) {
		w.Window(attack.Window{Index: i, Scheduled: uint64(i) << i})
		ends = append(ends, file.Len())
	}
	data := file.Bytes()
	for n := range len(data) + 1 {
		want := 0
		for _, end := range ends {
			if end <= n {
				want = end
			}
		}
		got := runlog.Whole(data[:n], true)
		if got != want && (want != 0 || got != len("rampload-runlog 1\n")) {
			t.Fatalf("of %d bytes %d are whole, want %d", n, got, want)
		}
		if n > ends[0] && runlog.Whole(data[ends[0]:n], false) != want-ends[0] {
			t.Fatalf("of %d bytes of the middle %d are whole", n-ends[0], runlog.Whole(data[ends[0]:n], false))
		}
	}
}
