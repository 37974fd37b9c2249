package notify

import (
	"cmp"
	"fmt"
	"maps"
	"strings"
	"time"
)

// posted is an alert as Alertmanager takes it (its API, version 2, POST /api/v2/alerts).
type posted struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// hooked is what a webhook gets: as Alertmanager's own webhooks have it, version 4, so
// that who takes those takes these, and the text that chats show.
type hooked struct {
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"`
	Status            string            `json:"status"` // firing, resolved
	Receiver          string            `json:"receiver"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Text              string            `json:"text"`
	Alerts            []hookedAlert     `json:"alerts"`
}

type hookedAlert struct {
	Status string `json:"status"`
	posted
	Fingerprint string `json:"fingerprint"`
}

// body is a message in the form of a receiver.
func (n *Notifier) body(kind Kind, m message) any {
	if kind == Alertmanager {
		all := []posted{}
		for _, a := range m.firing {
			all = append(all, n.posted(a, m, m.at.Add(forgotten)))
		}
		for _, a := range m.resolved {
			all = append(all, n.posted(a, m, m.at))
		}
		return all
	}
	h := hooked{
		Version: "4", GroupKey: "rampload:" + n.labels["run"], Status: "firing", Receiver: "rampload",
		GroupLabels: map[string]string{"run": n.labels["run"]}, CommonLabels: n.labels, CommonAnnotations: map[string]string{}, Alerts: []hookedAlert{},
	}
	if len(m.firing) == 0 {
		h.Status = "resolved"
	}
	var lines []string
	name := cmp.Or(n.labels["profile"], "run")
	for _, a := range m.firing {
		h.Alerts = append(h.Alerts, hookedAlert{"firing", n.posted(a, m, time.Time{}), a.key()})
	}
	for _, a := range m.began {
		line := fmt.Sprintf("rampload %s: %s", name, a.Summary)
		if a.Description != "" {
			line += "\n" + a.Description
		}
		lines = append(lines, line)
	}
	for _, a := range m.resolved {
		h.Alerts = append(h.Alerts, hookedAlert{"resolved", n.posted(a, m, m.at), a.key()})
		if m.over == "" {
			lines = append(lines, fmt.Sprintf("rampload %s: no longer so: %s", name, a.Summary))
		}
	}
	if m.over != "" {
		lines = append(lines, fmt.Sprintf("rampload %s is over: %s", name, m.over))
	}
	h.Text = strings.Join(lines, "\n")
	return h
}

func (n *Notifier) posted(a Alert, m message, until time.Time) posted {
	p := posted{Labels: maps.Clone(n.labels), Annotations: map[string]string{"summary": a.Summary}, StartsAt: a.Since, EndsAt: until}
	if p.Labels == nil {
		p.Labels = map[string]string{}
	}
	for name, value := range a.Labels {
		if value != "" {
			p.Labels[name] = value
		}
	}
	p.Labels["alertname"] = a.Name
	if text := cmp.Or(m.over, a.Description); text != "" {
		p.Annotations["description"] = text
	}
	return p
}
