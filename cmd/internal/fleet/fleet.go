// Package fleet lets other machines take part in a run. Whatever a machine records is
// a run log: an agent is a session that sends no load and writes its run log to a
// pipe, and the machine that leads the run keeps it as a part of its own. What the
// parts mean together is decided by runlog.Merge, and by nobody here.
package fleet

import (
	"context"

	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// Watch opens what a request asks for, on this machine. The hosts are those that it
// speaks for, with their addresses.
type Watch func(ctx context.Context, r protocol.Request, clock probe.Clock) (probe.Sources, []runlog.Host)
