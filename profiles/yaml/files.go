package yaml

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/data"
	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// files joins the file names of a profile to the directory and makes sure that
// they can be opened.
func files(d *bind.Decoder, p *profiles.Profile, root *tree.Node, opt Options) {
	dir := opt.Dir
	check := func(path string, name *string) {
		if *name == "" {
			return
		}
		if !filepath.IsAbs(*name) {
			*name = filepath.Join(dir, *name)
		}
		if reason := unreadable(*name); reason != "" {
			d.Problem(root.Find(path), "", "%s %s: correct the name, it is relative to %s", spelling.Cite(*name), reason, spelling.Cite(dir))
		}
	}
	for i := range p.Journeys {
		for j := range p.Journeys[i].Steps {
			r, at := &p.Journeys[i].Steps[j].Request, "journeys."+strconv.Itoa(i)+".steps."+strconv.Itoa(j)
			check(at+".body-file", &r.BodyFile)
			c := &p.Journeys[i].Steps[j].Completion
			check(at+".completion.nats.creds", &c.Topic.Creds)
			check(at+".completion.nats.ca", &c.Topic.CA)
			for k := range r.Parts {
				check(at+".multipart."+strconv.Itoa(k)+".file", &r.Parts[k].File)
			}
		}
	}
	for i := range p.Targets {
		t := &p.Targets[i]
		if t.Journey > 0 {
			continue // made of a journey
		}
		target := "targets." + strconv.Itoa(i)
		check(target+".file", &t.File)
		check(target+".completion.nats.creds", &t.Completion.Topic.Creds)
		check(target+".completion.nats.ca", &t.Completion.Topic.CA)
		for j := range t.Requests {
			check(target+".requests."+strconv.Itoa(j)+".body-file", &t.Requests[j].BodyFile)
			for k := range t.Requests[j].Parts {
				check(target+".requests."+strconv.Itoa(j)+".multipart."+strconv.Itoa(k)+".file", &t.Requests[j].Parts[k].File)
			}
		}
	}
	schemas(d, p, root, check, opt)
	for i := range p.Data {
		t := &p.Data[i]
		before := len(d.Problems)
		if check("data."+t.Name, &t.File); len(d.Problems) > before || t.File == "" {
			continue
		}
		if err := data.Open(t); err != nil {
			d.Problem(root.Find("data."+t.Name), "", "%s", err)
		}
	}
	for i := range p.Hosts {
		for j := range p.Hosts[i].Prometheus {
			t := &p.Hosts[i].Prometheus[j].TLS
			at := "hosts." + strconv.Itoa(i) + ".prometheus"
			check(at, &t.CAFile)
			check(at, &t.CertFile)
			check(at, &t.KeyFile)
		}
	}
	for i, r := range p.Receivers() {
		at := [...]string{"metrics.remote-write", "metrics.otlp", "notify"}[min(i, 2)]
		check(at, &r.TLS.CAFile)
		check(at, &r.TLS.CertFile)
		check(at, &r.TLS.KeyFile)
	}
	check("fleet.creds", &p.Fleet.Creds)
	check("fleet.ca", &p.Fleet.CA)
	check("client.tls.ca", &p.Client.TLS.CAFile)
	check("client.tls.cert", &p.Client.TLS.CertFile)
	check("client.tls.key", &p.Client.TLS.KeyFile)
}

// unreadable says why a file cannot be read; "" when it can.
func unreadable(name string) string {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist"
	case err != nil:
		return "cannot be read (" + err.Error() + ")"
	case !info.Mode().IsRegular():
		return "is not a file"
	}
	f, err := os.Open(name)
	if err != nil {
		return "cannot be read (" + err.Error() + ")"
	}
	_ = f.Close()
	return ""
}
