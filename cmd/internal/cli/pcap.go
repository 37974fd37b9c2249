package cli

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe/rst"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/runlog"
)

// writePcap writes the captured RSTs beside the report, each with the attempt
// that it hit, and returns the file's name. Without a captured RST there is no
// file.
func writePcap(capture *rst.Capture, log *runlog.Log, reportPath string) (string, error) {
	if capture == nil || capture.Kept() == 0 {
		return "", nil
	}
	path := strings.TrimSuffix(reportPath, ".json") + ".resets.pcapng"
	f, err := report.Create(path)
	if err != nil {
		return "", err
	}
	w := bufio.NewWriter(f)
	err = errors.Join(capture.WritePcapng(w, commentAttempts(log)), w.Flush(), f.Close())
	if err != nil {
		os.Remove(path)
		return "", fmt.Errorf("write captured resets: %w", err)
	}
	return path, nil
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
