package logs

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/cgroup"
)

// Container runtimes keep what a container writes in files of their own, which need no
// daemon to be asked; where these are out of reach, Docker's API has the same lines.
const (
	dockerSocket = "/var/run/docker.sock"
	// mostFrame bounds a frame of Docker's stream; its own limit is 16 KiB a line.
	mostFrame = 1 << 20
	askSocket = 5 * time.Second
)

// containerFiles returns where runtimes below root keep the logs of the containers with a
// name: Docker's json-file, Podman's k8s-file, and the kubelet's links.
func containerFiles(root, name string) []string {
	var out []string
	add := func(pattern string) {
		found, _ := filepath.Glob(filepath.Join(root, pattern)) // a wrong pattern finds nothing
		for _, path := range found {
			if _, err := os.Stat(path); err == nil && !slices.Contains(out, path) {
				out = append(out, path)
			}
		}
	}
	for _, id := range cgroup.ContainerIDs(root, name) {
		add("var/lib/docker/containers/" + id + "*/*-json.log")
		add("var/lib/containers/storage/overlay-containers/" + id + "*/userdata/ctr.log")
		add("var/log/containers/*-" + id + "*.log")
	}
	return out
}

// container follows the files of a container, or what Docker's API streams of it.
func (log *Log) container(ctx context.Context, emit func(probe.Event)) error {
	if files := containerFiles(log.root(), log.entry.Container); len(files) > 0 {
		return log.files(ctx, func() ([]string, error) { return containerFiles(log.root(), log.entry.Container), nil }, emit)
	}
	socket := filepath.Join(log.root(), dockerSocket)
	if _, err := os.Stat(socket); err != nil {
		return &probe.Unsupported{
			What: log.source.Name, Reason: "no container of that name has a log on this machine, and there is no " + dockerSocket,
			Needs: "the right to read /var/lib/docker, /var/lib/containers or /var/log/containers",
		}
	}
	return log.socket(ctx, socket, emit)
}

// socket follows a container by Docker's API (Docker Engine API v1.41, GET
// /containers/{id}/logs): once it ends or is started anew it is asked again.
func (log *Log) socket(ctx context.Context, socket string, emit func(probe.Event)) error {
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: askSocket}).DialContext(ctx, "unix", socket)
		},
		ResponseHeaderTimeout: askSocket,
	}}
	defer client.CloseIdleConnections()
	k := log.keeper("container "+log.entry.Container, log.entry.Container)
	since, heard := time.Now(), false
	for {
		err := log.dockerLines(ctx, client, since, k, emit)
		if ctx.Err() != nil {
			return nil
		}
		var refused *dockerRefused
		if errors.As(err, &refused) && !heard {
			return &probe.Unsupported{What: log.source.Name, Reason: err.Error(), Needs: "a container of that name, and the right to ask Docker"}
		}
		if err != nil {
			log.lacks("%s", err)
		}
		heard, since = true, time.Now()
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// dockerRefused is an answer of Docker that is no log.
type dockerRefused struct{ status, name string }

func (e *dockerRefused) Error() string {
	return fmt.Sprintf("docker answers %s for the logs of %s", e.status, e.name)
}

func (log *Log) dockerLines(ctx context.Context, client *http.Client, since time.Time, k *keeper, emit func(probe.Event)) error {
	query := url.Values{
		"follow": {"1"}, "stdout": {"1"}, "stderr": {"1"}, "timestamps": {"1"},
		"since": {strconv.FormatInt(since.Unix(), 10)},
	}
	path := "http://docker/containers/" + url.PathEscape(log.entry.Container) + "/logs?" + query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, path, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask docker: %w", err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("ask docker: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return &dockerRefused{answer.Status, log.entry.Container}
	}
	out, in := io.Pipe()
	go func() { in.CloseWithError(unframe(in, answer.Body, answer.Header.Get("Content-Type"))) }()
	defer out.Close()
	log.stream(out, func(k *keeper, line string) { k.stamped(line, since, log.clock.Now(), emit) }, k, emit)
	return nil
}

// stamped takes a line that Docker has put the time before. Since takes whole seconds:
// lines from before are left out.
func (k *keeper) stamped(line string, since time.Time, now time.Duration, emit func(probe.Event)) {
	stamp, text, ok := cut(line)
	if !ok {
		k.line(line, now, emit)
		return
	}
	if t, err := time.Parse(time.RFC3339Nano, stamp); err == nil && t.Before(since) {
		return
	}
	k.line(stamp+" stdout F "+text, now, emit) // the form of the other runtimes
}

func cut(line string) (stamp, text string, ok bool) {
	for i := 0; i < len(line) && i < 40; i++ {
		if line[i] == ' ' {
			return line[:i], line[i+1:], i >= 20
		}
	}
	return "", line, false
}

// unframe copies the lines of a stream of Docker: as they are where the container has a
// terminal, else out of frames of eight bytes (kind, 0, 0, 0, length) and a payload.
func unframe(w io.Writer, r io.Reader, mime string) error {
	in := bufio.NewReader(r)
	head, err := in.Peek(8)
	framed := mime != "application/vnd.docker.raw-stream" && err == nil && head[0] <= 2 && head[1] == 0 && head[2] == 0 && head[3] == 0
	if !framed {
		_, err := io.Copy(w, in)
		return cmp.Or(err, io.EOF)
	}
	var header [8]byte
	for {
		if _, err := io.ReadFull(in, header[:]); err != nil {
			return io.EOF // the container has ended, or the run
		}
		n := binary.BigEndian.Uint32(header[4:])
		if header[0] > 2 || n > mostFrame {
			return fmt.Errorf("read docker's stream: a frame of kind %d with %d bytes", header[0], n)
		}
		if _, err := io.CopyN(w, in, int64(n)); err != nil {
			return io.EOF
		}
	}
}
