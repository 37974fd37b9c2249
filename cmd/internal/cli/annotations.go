package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render"
)

// githubFormat prints workflow commands that a GitHub job shows at the profile's lines.
const githubFormat = "github"

func reportFormats() []string { return append(render.Formats(), githubFormat) }

// annotations writes the commands for a report; profile is the file in whose lines the
// gates stand, or empty.
func annotations(env console.Env, g *input.Globals, r *report.Report, profile string) error {
	var text []byte
	if profile != "" {
		f, err := os.Open(profile)
		if err != nil {
			return console.Usage(fmt.Errorf("open the profile to annotate: %w", err))
		}
		defer f.Close()
		if text, err = io.ReadAll(io.LimitReader(f, input.MaxProfile)); err != nil {
			return console.Usage(fmt.Errorf("read the profile to annotate: %w", err))
		}
	}
	return console.WriteOut(env, g.Out, func(w io.Writer, _ console.Terminal) error {
		return render.GitHub(w, r, profile, string(text))
	})
}
