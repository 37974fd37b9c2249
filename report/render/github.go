package render

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render/layout"
)

// GitHub writes workflow commands that a GitHub job shows at the lines of a profile: an
// error for each gate that failed, a warning for each that could not be judged, and a
// notice of the verdict. file is the profile's path in the repository and text what
// stands in it; without them the commands have no place.
func GitHub(w io.Writer, r *report.Report, file, text string) error {
	out := bufio.NewWriter(w)
	word, m, headline := verdict(r)
	level := map[layout.Mark]string{layout.Good: "notice", layout.Bad: "error", layout.Unsure: "warning"}[m]
	if level == "" {
		level = "notice"
	}
	command(out, level, file, 0, "rampload: "+word, headline)
	for _, g := range r.Gates {
		if g.Result == report.GatePassed {
			continue
		}
		level, title := "error", "gate failed"
		if g.Result == report.GateUndecided {
			level, title = "warning", "gate not judged"
		}
		command(out, level, file, lineOf(text, g.Expr), title, g.Expr+": "+g.Reason)
	}
	return out.Flush()
}

// lineOf finds the line of a gate in a profile, from 1; 0: it is not there.
func lineOf(text, expr string) int {
	words := strings.Join(strings.Fields(expr), " ")
	n := 0
	for line := range strings.Lines(text) {
		n++
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		if strings.Contains(strings.Join(strings.Fields(line), " "), words) {
			return n
		}
	}
	return 0
}

// command writes one workflow command; what it holds cannot end it or begin another.
func command(w io.Writer, level, file string, line int, title, message string) {
	var at []string
	if file != "" {
		at = append(at, "file="+property(file))
		if line > 0 {
			at = append(at, fmt.Sprintf("line=%d", line))
		}
	}
	at = append(at, "title="+property(title))
	fmt.Fprintf(w, "::%s %s::%s\n", level, strings.Join(at, ","), data(layout.Clean(message)))
}

// data and property write text into the places of a command.
func data(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func property(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(data(layout.Clean(s)))
}
