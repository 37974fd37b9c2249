package run

import (
	"context"
	"fmt"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/mark"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/runlog"
)

// takeMarks lets others put marks into the run until ctx is done. A run goes on without,
// where it cannot be reached.
func takeMarks(ctx context.Context, env console.Env, name string, id attack.RunID, clock probe.Clock, log *runlog.Writer, p *progress) error {
	return mark.Listen(ctx, mark.Folder(env.LookupEnv), mark.Run{ID: id.String(), Name: name}, func(text string) time.Duration {
		at := clock.Now()
		log.Mark(runlog.Mark{At: at, Text: text})
		p.announce(fmt.Sprintf("mark at %s: %s", format.Seconds(at.Round(100*time.Millisecond).Seconds()), text))
		return at
	})
}
