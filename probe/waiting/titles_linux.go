package waiting

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rampload/rampload/probe"
)

// What processes say of themselves in their titles, which some servers keep up to date.
// PostgreSQL's end in what a session does: "postgres: app shop 10.0.0.3(4711) UPDATE
// waiting" is one that waits for a lock.
const (
	saysWaiting = "waiting"
	saysOpen    = "idle in transaction"
)

// sessions counts the processes of a service that wait for a lock, or are idle in a
// transaction, by their titles. ok is false for a service of one process, or whose
// processes set no titles of that kind.
func sessions(pids []int32) (waiting, open float64, ok bool) {
	for _, pid := range pids[:min(len(pids), maxServing)] {
		b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(int(pid)), "cmdline"))
		if err != nil {
			continue
		}
		title := bytes.TrimRight(b, "\x00 ")
		if !bytes.HasPrefix(title, []byte("postgres: ")) {
			continue
		}
		ok = true
		switch {
		case bytes.HasSuffix(title, []byte(" "+saysWaiting)):
			waiting++
		case bytes.HasSuffix(title, []byte(" "+saysOpen)):
			open++
		}
	}
	return waiting, open, ok
}

// emitSessions tells what the processes of services say of themselves.
func (s *Sampler) emitSessions(emit func(probe.Reading)) {
	for _, x := range s.tally.busiestServices() {
		if len(x.owner.pids) < 2 || !x.seen {
			continue
		}
		waiting, open, ok := sessions(x.owner.pids)
		if !ok {
			continue
		}
		for _, v := range []struct {
			says string
			n    float64
		}{{saysWaiting, waiting}, {saysOpen, open}} {
			emit(probe.Reading{
				Metric: probe.Metric{Host: s.opts.host(), Process: x.owner.name, Name: probe.Sessions, Instance: v.says},
				Value:  v.n, Limit: probe.NoLimit(),
			})
		}
	}
}
