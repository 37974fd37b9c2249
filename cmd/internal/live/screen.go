package live

import (
	"context"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"
)

// Controls change the load. Each returns what was done, or why nothing was. They return
// at once.
type Controls interface {
	// Hold keeps the load as it is, or goes on where it was held.
	Hold() (string, error)
	Skip() (string, error)
	Scale(factor float64) (string, error)
	// Stop ends the run as an interrupt does.
	Stop()
}

// refresh is how often the screen is drawn: as often as windows end.
const refresh = 250 * time.Millisecond

// scaleStep is what one key press scales the load by.
const scaleStep = 1.1

// Screen shows a run on a terminal until ctx is done or a key ends the run. It returns
// when the terminal is as it was, or an error when it could not be shown. A terminal
// that takes no output holds up nobody else.
func Screen(ctx context.Context, in io.Reader, out io.Writer, environ []string, feed *Feed, controls Controls) error {
	// A signal ends the context; the screen goes with it.
	p := tea.NewProgram(&screen{feed: feed, controls: controls, width: 80, height: 24},
		tea.WithInput(in), tea.WithOutput(out), tea.WithEnvironment(environ), tea.WithoutSignalHandler(), tea.WithFPS(10))
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-ctx.Done():
			p.Quit()
		case <-over:
		}
	}()
	_, err := p.Run()
	return err
}

// screen is the program's model.
type screen struct {
	feed          *Feed
	controls      Controls
	width, height int
}

type tick struct{}

func next() tea.Cmd { return tea.Tick(refresh, func(time.Time) tea.Msg { return tick{} }) }

// Init begins to draw.
func (s *screen) Init() tea.Cmd { return next() }

// Update takes keys, the size of the terminal and the time.
func (s *screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tick:
		return s, next()
	case tea.WindowSizeMsg:
		s.width, s.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		return s, s.press(msg.String())
	}
	return s, nil
}

func (s *screen) press(key string) tea.Cmd {
	var did string
	var err error
	switch key {
	case "q", "ctrl+c", "esc":
		s.controls.Stop()
		return tea.Quit
	case "h", "space":
		did, err = s.controls.Hold()
	case "s":
		did, err = s.controls.Skip()
	case "+", "=", "up":
		did, err = s.controls.Scale(scaleStep)
	case "-", "_", "down":
		did, err = s.controls.Scale(1 / scaleStep)
	default:
		return nil
	}
	if err != nil {
		did = err.Error()
	}
	if did != "" {
		s.feed.Note(did)
	}
	return nil
}

// View draws the run.
func (s *screen) View() tea.View {
	v := tea.NewView(Frame(s.feed.Snapshot(), s.width, s.height))
	v.AltScreen = true
	v.WindowTitle = "rampload"
	return v
}
