package run

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe/rst"
	"github.com/rampload/rampload/report/runlog"
)

// writeCapture writes the captured RSTs, each with the attempt that it hit, and
// returns the file's name; "" where there is none. The packets support the verdict,
// which stands without them.
func writeCapture(capture *rst.Capture, log *runlog.Log, path string, progress *progress) string {
	if capture == nil || capture.Kept() == 0 {
		return ""
	}
	return progress.keep(path, nil, func(w io.Writer) error {
		out := bufio.NewWriter(w)
		return errors.Join(capture.WritePcapng(out, commentAttempts(log)), out.Flush())
	})
}

// commentNear is how far a RST and the end of its attempt may lie apart: an
// application may be told of a reset some time after the packet came.
const commentNear = 2 * time.Second

type flow struct{ local, remote netip.AddrPort }

// commentAttempts returns what names the attempt of a RST, by the addresses of
// its connection and the time.
func commentAttempts(log *runlog.Log) func(local, remote netip.AddrPort, at time.Duration) string {
	byFlow := map[flow][]attack.Failure{}
	for _, f := range log.Failures {
		k := flow{f.Conn.Local, f.Conn.Remote}
		byFlow[k] = append(byFlow[k], f)
	}
	var run attack.RunID
	_, _ = hex.Decode(run[:], []byte(log.Header.RunID))
	return func(local, remote netip.AddrPort, at time.Duration) string {
		nearest, distance := attack.Failure{}, commentNear
		for _, f := range byFlow[flow{local, remote}] {
			if d := (f.End - at).Abs(); d <= distance {
				nearest, distance = f, d
			}
		}
		switch {
		case nearest.End == 0 && distance == commentNear:
			return "rampload: no failed attempt on this connection at this time"
		case nearest.Phase == attack.PhaseIdle:
			return fmt.Sprintf("rampload: idle connection %d, %d requests served", nearest.Conn.ID, nearest.Conn.Served)
		}
		return fmt.Sprintf("rampload: request %d try %d, %s in %s, transaction %s",
			nearest.Request, nearest.Try, nearest.Fault, nearest.Phase, run.AppendTransactionID(nil, nearest.Request))
	}
}
