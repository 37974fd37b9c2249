package waiting

import (
	"errors"

	"github.com/rampload/rampload/probe/internal/procfs"
)

// totals are the files with what has come in to a namespace.
type totals struct{ snmp, netstat, snmp6 *procfs.File }

// openTotals opens them in the network namespace of the calling thread.
func openTotals() totals {
	const net = "/proc/thread-self/net/"
	return totals{procfs.Try(net + "snmp"), procfs.Try(net + "netstat"), procfs.Try(net + "snmp6")}
}

// read reads what has come in; NaN for what cannot be read.
func (t totals) read() came {
	snmp, _ := t.snmp.Read()
	netstat, _ := t.netstat.Read()
	snmp6, _ := t.snmp6.Read() // absent without IPv6
	return readCame(snmp, netstat, snmp6)
}

func (t totals) close() error { return errors.Join(t.snmp.Close(), t.netstat.Close(), t.snmp6.Close()) }
