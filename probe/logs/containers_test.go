package logs

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

func put(t *testing.T, root, name, text string) string {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	idDocker = "1111111111111111111111111111111111111111111111111111111111111111"
	idPodman = "2222222222222222222222222222222222222222222222222222222222222222"
	idKube   = "3333333333333333333333333333333333333333333333333333333333333333"
)

func TestContainerFiles(t *testing.T) {
	root := t.TempDir()
	put(t, root, "var/lib/docker/containers/"+idDocker+"/config.v2.json", `{"ID": "`+idDocker+`", "Name": "/orders"}`)
	docker := put(t, root, "var/lib/docker/containers/"+idDocker+"/"+idDocker+"-json.log", "")
	put(t, root, "var/lib/containers/storage/overlay-containers/containers.json", `[{"id": "`+idPodman+`", "names": ["payments"]}]`)
	podman := put(t, root, "var/lib/containers/storage/overlay-containers/"+idPodman+"/userdata/ctr.log", "")
	kube := put(t, root, "var/log/containers/shop-7d9_default_stock-"+idKube+".log", "")
	for name, want := range map[string][]string{
		"orders": {docker}, "payments": {podman}, "stock": {kube}, "nobody": nil, idDocker[:12]: {docker},
	} {
		if got := containerFiles(root, name); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// frame is a frame of Docker's stream.
func frame(kind byte, text string) []byte {
	out := make([]byte, 8, 8+len(text))
	out[0] = kind
	binary.BigEndian.PutUint32(out[4:], uint32(len(text)))
	return append(out, text...)
}

// A container whose files are out of reach is read through Docker's socket, from now on,
// and again when it was started anew.
func TestDockerSocket(t *testing.T) {
	root := t.TempDir()
	socket := filepath.Join(root, "docker.sock")
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.URL.Path != "/containers/orders/logs" || q.Get("follow") != "1" || q.Get("stderr") != "1" || q.Get("timestamps") != "1" || q.Get("since") == "" {
			http.Error(w, "no such container", http.StatusNotFound)
			return
		}
		asked++
		stamp := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339Nano) }
		w.Header().Set("Content-Type", "application/vnd.docker.multiplexed-stream")
		_, _ = w.Write(frame(1, stamp(-time.Hour)+" ERROR from before\n"))
		long := stamp(time.Second) + " ERROR too many open files\n"
		_, _ = w.Write(frame(2, long[:40]))
		_, _ = w.Write(frame(2, long[40:]+stamp(time.Second)+fmt.Sprintf(" ERROR connection reset by peer, time %d\n", asked)))
		w.(http.Flusher).Flush()
		if asked > 1 {
			<-r.Context().Done()
		}
	})}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	follow := func(name string) (said []string, err error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		log := New(profiles.Log{Container: name}, "local", "", probe.NewClock(time.Now()))
		err = log.socket(ctx, socket, func(e probe.Event) {
			said = append(said, e.Reason)
			if strings.Contains(e.Reason, "time 2") {
				cancel()
			}
		})
		return said, err
	}
	said, err := follow("orders")
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(said, "\n")
	if strings.Contains(all, "from before") || !strings.Contains(all, "too many open files") || !strings.Contains(all, "time 1") || !strings.Contains(all, "time 2") {
		t.Errorf("the log says %q", all)
	}
	if _, err := follow("nobody"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a container that is not there: %v", err)
	}
}

func TestNoContainer(t *testing.T) {
	log := New(profiles.Log{Container: "no-such-container"}, "local", "", probe.NewClock(time.Now()))
	log.fs = t.TempDir()
	if err := log.Check(); err == nil || !strings.Contains(err.Error(), "no container") {
		t.Errorf("Check says %v", err)
	}
}
