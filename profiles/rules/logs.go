package rules

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
)

func (v hostRules) log(path string, l profiles.Log) {
	ways := 0
	for _, set := range []bool{l.File != "", l.Journal != "", l.URL != "", l.Container != ""} {
		if set {
			ways++
		}
	}
	if ways != 1 {
		v.add(path, "%d places of a log are given: write exactly one of file, container, journal and url", ways)
		return
	}
	switch {
	case l.Query != "" && l.URL == "":
		v.add(path+".query", "a query is asked of a store: write its url beside it")
	case l.URL != "" && l.Query == "":
		v.add(path, "what is asked of %s is missing: write query, such as '{app=\"payments\"}'", spelling.Quote(l.URL))
	case l.URL != "":
		if u, err := url.Parse(l.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			v.add(path+".url", "%s is not the URL of a store: write such as http://logs-1:9428", spelling.Quote(l.URL))
		}
	case l.Journal != "" && l.Journal != "all" && !strings.Contains(l.Journal, "."):
		v.add(path+".journal", "%s is not a full unit name: write %s.service, or all", spelling.Quote(l.Journal), l.Journal)
	case strings.HasPrefix(l.Journal, "-"):
		v.add(path+".journal", "%s is not the name of a unit", spelling.Quote(l.Journal))
	}
	if strings.ContainsAny(l.Container, "/?*[]\\ \x00") {
		v.add(path+".container", "%s is no name of a container: write one as docker ps shows it", spelling.Quote(l.Container))
	}
	if l.File != "" {
		if _, err := filepath.Match(l.File, ""); err != nil {
			v.add(path+".file", "%s is no pattern that can be matched: check its brackets", spelling.Quote(l.File))
		}
		if strings.ContainsRune(l.File, 0) {
			v.add(path+".file", "%s is no path", spelling.Quote(l.File))
		}
	}
	if l.Format != "" && !slices.Contains(profiles.LogFormats, l.Format) {
		v.add(path+".format", "unknown format %s%s", spelling.Quote(l.Format), spelling.Suggest(l.Format, profiles.LogFormats))
	}
	for name := range l.Fields {
		if !slices.Contains(profiles.LogFields, name) {
			v.add(path+".fields", "unknown field %s%s", spelling.Quote(name), spelling.Suggest(name, profiles.LogFields))
		}
	}
}
