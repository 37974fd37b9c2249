package ramp

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"unicode"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/profiles"
)

// maxTargetFile bounds the number of targets read from a file.
const maxTargetFile = 65_000

// ReadTargets reads a file of targets in vegeta's HTTP or JSON format with
// vegeta's own readers; bodies named by @ are read relative to the working
// directory, as vegeta does. It returns a target for each scheme and host, in
// order of appearance, each request with weight 1, and the host as name.
func ReadTargets(path string) ([]profiles.Target, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read targets: %w", err)
	}
	defer f.Close()
	src := bufio.NewReader(f)
	next := vegeta.NewHTTPTargeter(src, nil, nil)
	if first, err := firstByte(src); err == nil && first == '{' {
		next = vegeta.NewJSONTargeter(src, nil, nil)
	}
	var out []profiles.Target
	byBase := make(map[string]int)
	for n := 1; ; n++ {
		var t vegeta.Target
		if err := next(&t); errors.Is(err, vegeta.ErrNoTargets) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read targets: %s: target %d: %w", path, n, err)
		}
		if n > maxTargetFile {
			return nil, fmt.Errorf("read targets: %s has more than %d targets: split it", path, maxTargetFile)
		}
		u, err := url.Parse(t.URL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("read targets: %s: target %d: %q is not an http or https URL", path, n, t.URL)
		}
		base := u.Scheme + "://" + u.Host
		i, ok := byBase[base]
		if !ok {
			i = len(out)
			byBase[base] = i
			out = append(out, profiles.Target{Name: u.Host, URL: base})
		}
		out[i].Requests = append(out[i].Requests, profiles.Request{
			Method: t.Method, Path: u.RequestURI(), Headers: headers(t.Header), Body: string(t.Body), Weight: 1,
		})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("read targets: %s has none: write lines such as GET http://host/path", path)
	}
	return out, nil
}

// headers puts a header in a fixed order.
func headers(h http.Header) []profiles.Header {
	var out []profiles.Header
	for name, values := range h {
		for _, v := range values {
			out = append(out, profiles.Header{Name: name, Value: v})
		}
	}
	slices.SortStableFunc(out, func(a, b profiles.Header) int {
		switch {
		case a.Name < b.Name:
			return -1
		case a.Name > b.Name:
			return 1
		}
		return 0
	})
	return out
}

func firstByte(r *bufio.Reader) (byte, error) {
	for n := 1; ; n++ {
		b, err := r.Peek(n)
		if err != nil {
			return 0, err
		}
		if c := b[n-1]; !unicode.IsSpace(rune(c)) {
			return c, nil
		}
	}
}

// connect lays out targets, groups and the mix, and makes the transports. After
// an error the caller closes what there is.
func (r *run) connect() error {
	var shares []float64
	var weights [][]float64
	for i, pt := range r.cfg.Profile.Targets {
		bases := []profiles.Target{pt}
		if pt.File != "" {
			var err error
			if bases, err = ReadTargets(pt.File); err != nil {
				return err
			}
		}
		t := &target{addresses: make(map[netip.AddrPort]uint16)}
		total := 0.0
		var w []float64
		for _, b := range bases {
			for _, q := range b.Requests {
				w = append(w, q.Weight)
				total += q.Weight
			}
		}
		for _, b := range bases {
			if r.plain && strings.HasPrefix(strings.ToLower(b.URL), "https:") {
				return fmt.Errorf("plan target %s: the direct engine does not speak TLS: set client.engine to vegeta", pt.Name)
			}
			g := &group{target: uint16(i)}
			profile := pt
			profile.URL, profile.Requests, profile.File = b.URL, b.Requests, ""
			var own []float64
			for _, q := range b.Requests {
				g.endpoints = append(g.endpoints, uint16(len(t.endpoints)))
				t.endpoints = append(t.endpoints, endpoint{via: g, repeatable: idempotent(q.Method)})
				own = append(own, q.Weight)
				g.share += pt.Share * q.Weight / total
			}
			var err error
			if g.mix, err = schedule.NewMix([]float64{1}, [][]float64{own}); err != nil {
				return fmt.Errorf("plan target %s: %w", pt.Name, err)
			}
			if err := r.equip(g, t, profile, len(bases) > 1); err != nil {
				return fmt.Errorf("plan target %s: %w", pt.Name, err)
			}
		}
		r.targets = append(r.targets, t)
		shares, weights = append(shares, pt.Share), append(weights, w)
	}
	var err error
	r.mix, err = schedule.NewMix(shares, weights)
	return err
}

// equip makes the transport of a group and compiles its requests.
func (r *run) equip(g *group, t *target, profile profiles.Target, several bool) error {
	tr, err := r.opener(wire.Config{
		Target:  uint16(len(r.groups)), // numbers connections: each transport has its own range
		Profile: profile,
		Client:  r.cfg.Profile.Client,
		RunID:   r.cfg.RunID,
		Clock:   r.now,
		OnIdle: func(a attack.Attempt) {
			a.Target = g.target
			if remap := g.remap.Load(); remap != nil {
				a.Conn.RemoteIndex = (*remap)[a.Conn.RemoteIndex]
			}
			r.agg.idle(&a)
		},
		OnAddress: func(index uint16, addr netip.AddrPort) { r.address(g, t, several, index, addr) },
	})
	if err != nil {
		return err
	}
	g.via = tr
	r.groups = append(r.groups, g)
	for i, q := range profile.Requests {
		if t.endpoints[g.endpoints[i]].request, err = tr.Compile(q); err != nil {
			return fmt.Errorf("request %d: %w", i+1, err)
		}
	}
	return nil
}

// address tells the collector of a remote address. A target with several groups
// numbers the addresses of all of them together.
func (r *run) address(g *group, t *target, several bool, index uint16, addr netip.AddrPort) {
	if several {
		t.mu.Lock()
		own, known := t.addresses[addr]
		if !known {
			own = uint16(len(t.addresses) + 1)
			t.addresses[addr] = own
		}
		remap := []uint16{0}
		if old := g.remap.Load(); old != nil {
			remap = slices.Clone(*old)
		}
		for len(remap) <= int(index) {
			remap = append(remap, 0)
		}
		remap[index] = own
		g.remap.Store(&remap)
		t.mu.Unlock()
		if known {
			return
		}
		index = own
	}
	r.coll.address(attack.Address{Target: g.target, Index: index, Addr: addr})
}
