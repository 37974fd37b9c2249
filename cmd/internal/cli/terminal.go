package cli

import (
	"os"

	"golang.org/x/term"

	"github.com/rampload/rampload/report/render"
)

// defaultWidth is used where output is not a terminal.
const defaultWidth = 80

// terminal says what the process's output is.
type terminal struct {
	colour   bool // stdout takes colour
	width    int  // of stdout
	progress bool // stderr is a terminal: a line may be rewritten
	shown    bool // stdout is a terminal: what goes to stderr is read beside it
}

func newTerminal(env Env) terminal {
	t := terminal{width: defaultWidth}
	if f, ok := env.Stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		t.shown = true
		// https://no-color.org: any non-empty value
		t.colour = env.env("NO_COLOR") == "" && env.env("TERM") != "dumb"
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w >= 40 {
			t.width = w
		}
	}
	if f, ok := env.Stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		t.progress = env.env("TERM") != "dumb" && env.env("CI") == ""
	}
	return t
}

func (t terminal) renderOptions() render.Options {
	return render.Options{Width: t.width, Colour: t.colour}
}
