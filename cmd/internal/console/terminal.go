package console

import (
	"os"

	"github.com/rampload/rampload/report/render/layout"
	"golang.org/x/term"
)

// defaultWidth is used where output is not a terminal.
const DefaultWidth = 80

// Terminal says what the process's output is.
type Terminal struct {
	Colour   bool // stdout takes colour
	Width    int  // of stdout
	Progress bool // stderr is a terminal: a line may be rewritten
	Shown    bool // stdout is a terminal: what goes to stderr is read beside it
	Plain    bool // output is read aloud: sentences, and nothing is drawn or rewritten
}

func NewTerminal(env Env) Terminal {
	t := Terminal{Width: DefaultWidth}
	if f, ok := env.Stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		t.Shown = true
		// https://no-color.org: any non-empty value
		t.Colour = env.Env("NO_COLOR") == "" && env.Env("TERM") != "dumb"
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w >= 40 {
			t.Width = w
		}
	}
	if f, ok := env.Stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		t.Progress = env.Env("TERM") != "dumb" && env.Env("CI") == ""
	}
	if env.Plain != nil && *env.Plain {
		t.Plain, t.Colour, t.Progress = true, false, false
	}
	return t
}

func (t Terminal) RenderOptions() layout.Options {
	return layout.Options{Width: t.Width, Colour: t.Colour, Plain: t.Plain}
}
