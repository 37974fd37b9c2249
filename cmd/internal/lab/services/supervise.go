package services

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// supervise runs another service as a process of its own and starts it again
// when it has ended, as systemd or a container runtime does. It can kill it for
// not answering (a watchdog) or on a clock (an ungraceful deployment). The
// service and its flags stand behind the supervisor's own.
func supervise(fs *flag.FlagSet) func(context.Context, *host) error {
	pausing := fs.Duration("pause", 300*time.Millisecond, "time between an end and the next start")
	watch := fs.Duration("watch", 0, "interval of the watchdog's health checks; 0: none")
	hang := fs.Duration("hang", time.Second, "time for the answer to a health check")
	killAfter := fs.Duration("kill-after", 0, "time after which the service is killed; 0: never")
	killEvery := fs.Duration("kill-every", 0, "time between later kills; 0: only the first")
	prefix := fs.String("prefix", "lab-service", "argument of the program before the name of a service")
	return func(ctx context.Context, h *host) error {
		rest := fs.Args()
		if len(rest) == 0 {
			return fmt.Errorf("supervise nothing: the service is missing")
		}
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		addr := h.addr
		var next <-chan time.Time
		if *killAfter > 0 {
			timer := time.NewTimer(*killAfter)
			defer timer.Stop()
			next = timer.C
		}
		for first := true; ctx.Err() == nil; first = false {
			child := &lab.Child{Exe: exe, Prefix: []string{*prefix}, Name: rest[0], Args: append([]string{"-addr=" + addr}, rest[1:]...)}
			// A cancelled context would kill the child before it could tell its truth.
			if err := child.Start(context.WithoutCancel(ctx)); err != nil {
				if first {
					return err
				}
				// The port may be held by what the last process left; the next try is soon.
				h.tally.Count("failed-starts")
				lab.Wait(ctx, *pausing)
				continue
			}
			addr = child.Addr().String()
			h.tally.Count("starts")
			if first {
				h.ready(net.TCPAddrFromAddrPort(child.Addr()))
			}
			sick := make(chan struct{})
			watching, stop := context.WithCancel(ctx)
			if *watch > 0 {
				go watchdog(watching, child.URL(), *watch, *hang, sick)
			}
			select {
			case <-ctx.Done():
				truth, err := child.Stop()
				stop()
				h.tally.Add(truth)
				return err
			case <-child.Done():
				h.tally.Harm("crashes")
			case <-sick:
				h.tally.Harm("watchdog-kills")
				child.Kill()
			case <-next:
				h.tally.Harm("restarts")
				child.Kill()
				next = nil
				if *killEvery > 0 {
					timer := time.NewTimer(*killEvery)
					defer timer.Stop()
					next = timer.C
				}
			}
			stop()
			lab.Wait(ctx, *pausing)
		}
		return nil
	}
}

// watchdog closes sick when a health check is not answered in time.
func watchdog(ctx context.Context, url string, every, patience time.Duration, sick chan<- struct{}) {
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	for lab.Wait(ctx, every) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/healthz", nil)
		if err != nil {
			return
		}
		resp, err := client.Do(req)
		if err != nil {
			if ctx.Err() == nil {
				close(sick)
			}
			return
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}
