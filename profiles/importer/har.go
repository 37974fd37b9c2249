package importer

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/rules"
)

// harFile is what is read of an HTTP Archive
// (http://www.softwareishard.com/blog/har-12-spec/).
type harFile struct {
	Log struct {
		Entries []harEntry `json:"entries"`
	} `json:"log"`
}

type harField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type harEntry struct {
	ResourceType string  `json:"_resourceType"` // of Chromium
	Started      string  `json:"startedDateTime"`
	Time         float64 `json:"time"` // until the answer was there, ms
	Request      struct {
		Method   string     `json:"method"`
		URL      string     `json:"url"`
		Headers  []harField `json:"headers"`
		PostData *struct {
			MimeType string `json:"mimeType"`
			Text     string `json:"text"`
			Encoding string `json:"encoding"`
			Params   []struct {
				Name     string `json:"name"`
				Value    string `json:"value"`
				FileName string `json:"fileName"`
			} `json:"params"`
		} `json:"postData"`
	} `json:"request"`
	Response struct {
		Headers []harField `json:"headers"`
		Content struct {
			MimeType string `json:"mimeType"`
			Text     string `json:"text"`
			Encoding string `json:"encoding"`
		} `json:"content"`
	} `json:"response"`
}

// har imports a browser's recording, as one journey; a single request, or a recording
// without times, becomes requests that are drawn. What browsers fetch from caches and content
// networks, scripts and pictures, is left out: the service under test is what
// answered documents and data.
func (imp *importing) har(data []byte) error {
	var file harFile
	if err := json.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("it is no HTTP Archive: %s", jsonCause(err))
	}
	static, foreign := 0, map[string]int{}
	hosts := servingHosts(file.Log.Entries)
	var kept []recorded
	timed := true
	for i, e := range file.Log.Entries {
		u, err := url.Parse(e.Request.URL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			continue // data:, blob:, ws:, chrome-extension:
		}
		switch {
		case e.static():
			static++
			continue
		case !hosts[u.Host]:
			foreign[u.Host]++
			continue
		}
		r := profiles.Request{Method: strings.ToUpper(e.Request.Method), Path: u.RequestURI()}
		for _, h := range e.Request.Headers {
			r.Headers = append(r.Headers, profiles.Header(h)) // as it was: see headers
		}
		if post := e.Request.PostData; post != nil {
			r.Body = post.Text
			if post.Text == "" && len(post.Params) > 0 {
				form := url.Values{}
				for _, p := range post.Params {
					if p.FileName != "" {
						imp.note("entry %d, %s %s: the uploaded file %q is not in the recording: write body-file", i+1, r.Method, u.Path, p.FileName)
					}
					form.Add(p.Name, p.Value)
				}
				r.Body = form.Encode()
			}
		}
		base := profiles.Base{URL: u.Scheme + "://" + u.Host, Requests: []profiles.Request{{Method: r.Method, Path: r.Path, Weight: 1}}}
		if problems := rules.Base(base); len(problems) > 0 {
			imp.note("entry %d was left out: %s", i+1, problems[0].Message)
			continue
		}
		began, err := time.Parse(time.RFC3339, e.Started)
		timed = timed && err == nil
		kept = append(kept, recorded{e, u, r, began})
	}
	if len(kept) == 0 {
		return fmt.Errorf("the recording has no request for a document or data: record with the browser's network tab open")
	}
	if static > 0 {
		imp.note("left out %s for scripts, styles, fonts and pictures", requests(static))
	}
	for _, host := range sortedKeys(foreign) {
		imp.note("left out %s to %s, which served no document: is it yours?", requests(foreign[host]), host)
	}
	if timed && len(kept) > 1 {
		imp.journey(kept)
		return nil
	}
	for _, rec := range kept {
		imp.headers(&rec.request)
		imp.add(rec.url, rec.request)
	}
	if len(kept) > 1 {
		imp.note("requests are drawn by how often each was made: the recording has no times, and so no order and no pauses")
	}
	return nil
}

func requests(n int) string {
	if n == 1 {
		return "1 request"
	}
	return strconv.Itoa(n) + " requests"
}

// static reports whether the entry fetched something that hardly ever comes from
// the service itself.
func (e harEntry) static() bool {
	if slices.Contains([]string{"image", "font", "stylesheet", "script", "media", "manifest", "texttrack", "preflight", "ping"}, e.ResourceType) {
		return true
	}
	mime := e.Response.Content.MimeType
	for _, prefix := range []string{"image/", "font/", "video/", "audio/", "text/css", "text/javascript", "application/javascript", "application/x-javascript", "application/font"} {
		if strings.HasPrefix(mime, prefix) {
			return true
		}
	}
	return false
}

// servingHosts returns the hosts that served documents, and those of the same
// domain: what else a page talks to (statistics, advertising) is not under test.
func servingHosts(entries []harEntry) map[string]bool {
	var domains []string
	for _, e := range entries {
		document := e.ResourceType == "document" || e.ResourceType == "" && strings.HasPrefix(e.Response.Content.MimeType, "text/html")
		if u, err := url.Parse(e.Request.URL); err == nil && document && !e.static() {
			domains = append(domains, domain(u.Hostname()))
		}
	}
	out := map[string]bool{}
	for _, e := range entries {
		u, err := url.Parse(e.Request.URL)
		// A recording of an API has no document at all: all hosts count.
		if err == nil && (len(domains) == 0 || slices.Contains(domains, domain(u.Hostname()))) {
			out[u.Host] = true
		}
	}
	return out
}

// domain returns the last two labels of a name: near enough to tell a site's own
// hosts from others.
func domain(host string) string {
	labels := strings.Split(host, ".")
	if last := labels[len(labels)-1]; len(labels) < 3 || last == "" || last[0] >= '0' && last[0] <= '9' {
		return host // an address, or a name without a domain
	}
	return strings.Join(labels[len(labels)-2:], ".")
}
