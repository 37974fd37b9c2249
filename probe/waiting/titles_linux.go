package waiting

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rampload/rampload/probe"
)

// Some servers keep the titles of their processes up to date. PostgreSQL's end in what the session
// does: "postgres: app shop 10.0.0.3(4711) UPDATE waiting" waits for a lock.
const (
	saysWaiting = "waiting"
	saysOpen    = "idle in transaction"
)

// sessions counts the processes of a service that wait for a lock, and those that are idle in a
// transaction, by their titles. ok is false for a service of one process, and for one without such
// titles.
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

// emitSessions emits what the titles of the services' processes say.
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
