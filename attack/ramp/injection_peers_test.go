//go:build bench && linux

package ramp

import (
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fault"
	"github.com/rampload/rampload/profiles"
)

// TestInjectionTable prints, as Markdown, what each load tester reports of the
// same injected resets: 2,000 GET requests at 500/s on 10 connections (wrk sends
// as fast as it can, for a second). "RST" is the injector's own count.
//
//	go test -tags bench -run InjectionTable -v ./attack/ramp
func TestInjectionTable(t *testing.T) {
	places := []struct {
		place fault.Place
		close bool // a connection for every request
	}{
		{fault.OnAccept, true},
		{fault.BeforeResponseFresh, true},
		{fault.BeforeResponseReused, false},
		{fault.InHeaders, false},
		{fault.InBody, false},
		{fault.Idle, false},
		{fault.AfterResponse, false},
	}
	var b strings.Builder
	fmt.Fprintln(&b, "| RST injected | rampload: RST → wire resets | vegeta: RST → errors / told as resets | wrk: RST → errors |")
	fmt.Fprintln(&b, "|---|---|---|---|")
	for _, p := range places {
		fmt.Fprintf(&b, "| %s |", p.place)
		for _, ask := range []func(*testing.T, string, bool) string{askRampload, askVegeta, askWrk} {
			in, err := fault.NewInjector(fault.InjectorOptions{Place: p.place, Every: 20, Delay: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			told := ask(t, in.URL(), p.close)
			if err := in.Close(); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, " %d → %s |", in.Counts().Resets, told)
		}
		fmt.Fprintln(&b)
	}
	t.Log("\n" + b.String())
}

func askRampload(t *testing.T, url string, close bool) string {
	p := profiles.Profile{
		Name:    "injections",
		Targets: []profiles.Target{{Name: "injector", URL: url}},
		Load:    profiles.Load{profiles.Hold{Rate: 500, For: 4 * time.Second}},
		Client:  profiles.DefaultClient(),
	}
	p.Client.Connections = 10
	if close {
		p.Client.Connections = 0
	}
	loader, err := NewVegeta(Config{Profile: p.WithDefaults(), Open: openWire})
	if err != nil {
		t.Fatal(err)
	}
	var sink resetCount
	if _, err := loader.Run(t.Context(), &sink); err != nil {
		t.Fatal(err)
	}
	return strconv.FormatUint(sink.wire, 10)
}

type resetCount struct{ wire uint64 }

func (*resetCount) Address(attack.Address) {}
func (*resetCount) Failure(attack.Failure) {}
func (r *resetCount) Window(w attack.Window) {
	for _, c := range w.Cells {
		r.wire += c.WireResets
	}
}

func askVegeta(_ *testing.T, url string, close bool) string {
	errs, resets := 0, 0
	attacker := vegeta.NewAttacker(vegeta.KeepAlive(!close), vegeta.Connections(10), vegeta.MaxConnections(10))
	target := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: url + "/"})
	for r := range attacker.Attack(target, vegeta.Rate{Freq: 500, Per: time.Second}, 4*time.Second, "") {
		if r.Error != "" {
			errs++
		}
		// The text is all that vegeta's result keeps of an error.
		if strings.Contains(r.Error, syscall.ECONNRESET.Error()) {
			resets++
		}
	}
	return fmt.Sprintf("%d / %d", errs, resets)
}

func askWrk(t *testing.T, url string, close bool) string {
	args := []string{"-t1", "-c10", "-d1s", url + "/"}
	if close {
		args = append(args, "-H", "Connection: close")
	}
	out, err := exec.Command("wrk", args...).Output()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "not installed"
	case err != nil:
		t.Fatal(err)
	}
	m := regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`).FindStringSubmatch(string(out))
	sum := 0
	for i := range m {
		n, _ := strconv.Atoi(m[i])
		sum += n
	}
	return strconv.Itoa(sum)
}
