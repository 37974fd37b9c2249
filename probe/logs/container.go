package logs

import (
	"strings"

	"github.com/rampload/rampload/probe/logs/parse"
)

// wrapped is a line as a container runtime writes it around that of its container.
type wrapped struct {
	text    string
	time    string
	partial bool // the line goes on in the next one
}

// unwrap reads the forms of container runtimes: Docker's json-file, and what CRI runtimes
// (containerd, CRI-O) write for Kubernetes. ok is false for any other line.
func unwrap(line string) (w wrapped, ok bool) {
	if strings.HasPrefix(line, `{"log":"`) {
		return unwrapDocker(line)
	}
	return unwrapCRI(line)
}

// unwrapDocker reads {"log":"...\n","stream":"stderr","time":"..."}; a line of the container
// that is longer than 16 KiB comes in several, of which the last alone ends with \n.
func unwrapDocker(line string) (w wrapped, ok bool) {
	stream, odd := false, false
	s := parse.Scanner{S: line}
	whole := s.Object("", func(name, value string) {
		switch name {
		case "log":
			w.text = value
		case "time":
			w.time = value
		case "stream":
			stream = value == "stdout" || value == "stderr"
		default:
			odd = odd || name != "attrs" && !strings.HasPrefix(name, "attrs.")
		}
	})
	if !whole || !stream || odd || w.time == "" {
		return wrapped{}, false
	}
	text, ends := strings.CutSuffix(w.text, "\n")
	w.text, w.partial = text, !ends
	return w, true
}

// unwrapCRI reads "2026-11-29T10:00:00.123456789Z stderr F text", with P for a part of a
// line (kubernetes, CRI logging format).
func unwrapCRI(line string) (w wrapped, ok bool) {
	if len(line) < 32 || line[4] != '-' || line[10] != 'T' {
		return wrapped{}, false
	}
	stamp, rest, ok := strings.Cut(line, " ")
	if !ok || len(stamp) < 20 || len(stamp) > 40 {
		return wrapped{}, false
	}
	stream, rest, ok := strings.Cut(rest, " ")
	if !ok || stream != "stdout" && stream != "stderr" {
		return wrapped{}, false
	}
	tags, text, ok := strings.Cut(rest, " ")
	if !ok {
		tags, text = rest, ""
	}
	tag, _, _ := strings.Cut(tags, ":")
	if tag != "F" && tag != "P" {
		return wrapped{}, false
	}
	return wrapped{text: text, time: stamp, partial: tag == "P"}, true
}

// whole returns the line of a container that a line of its runtime's file stands for, and
// the time that the runtime gives it; ok is false as long as it goes on. Lines of other
// files are returned as they are.
func (k *keeper) whole(line string) (text, stamp string, ok bool) {
	w, is := unwrap(line)
	if !is {
		return line, "", true
	}
	if room := maxLine - len(k.part); room > 0 {
		k.part += w.text[:min(len(w.text), room)]
	}
	if w.partial {
		return "", "", false
	}
	text, k.part = k.part, ""
	return text, w.time, true
}

// podOf names the container whose log Kubernetes keeps in a file: that of
// /var/log/pods/NAMESPACE_POD_UID/CONTAINER/0.log, or of
// /var/log/containers/POD_NAMESPACE_CONTAINER-ID.log; empty for other files.
func podOf(path string) string {
	parts := strings.Split(path, "/")
	n := len(parts)
	switch {
	case n >= 4 && parts[n-4] == "pods" && strings.Count(parts[n-3], "_") == 2:
		return parts[n-2]
	case n >= 2 && parts[n-2] == "containers" && strings.Count(parts[n-1], "_") == 2:
		name := parts[n-1][strings.LastIndexByte(parts[n-1], '_')+1:]
		if dash := strings.LastIndexByte(name, '-'); dash > 0 {
			return name[:dash]
		}
	}
	return ""
}
