package kube

import (
	"encoding/json"
	"time"
)

// The fields of the Kubernetes API (core/v1, apps/v1, meta/v1) that are read. The tests
// encode the API's own types and read them with these.

type status struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Reason  string `json:"reason"`
	Code    int    `json:"code"`
}

type meta struct {
	Name              string            `json:"name"`
	Namespace         string            `json:"namespace"`
	UID               string            `json:"uid"`
	ResourceVersion   string            `json:"resourceVersion"`
	Labels            map[string]string `json:"labels"`
	DeletionTimestamp *time.Time        `json:"deletionTimestamp"`
	OwnerReferences   []owner           `json:"ownerReferences"`
}

type owner struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Controller *bool  `json:"controller"`
}

type pod struct {
	Meta meta `json:"metadata"`
	Spec struct {
		NodeName   string `json:"nodeName"`
		Containers []struct {
			Name string `json:"name"`
		} `json:"containers"`
	} `json:"spec"`
	Status struct {
		Phase      string      `json:"phase"`
		Reason     string      `json:"reason"`
		Message    string      `json:"message"`
		PodIPs     []podIP     `json:"podIPs"`
		Conditions []condition `json:"conditions"`
		Containers []container `json:"containerStatuses"`
	} `json:"status"`
}

type podIP struct {
	IP string `json:"ip"`
}

type condition struct {
	Type           string     `json:"type"`
	Status         string     `json:"status"`
	Reason         string     `json:"reason"`
	Message        string     `json:"message"`
	LastTransition *time.Time `json:"lastTransitionTime"`
}

type container struct {
	Name         string         `json:"name"`
	RestartCount int            `json:"restartCount"`
	State        containerState `json:"state"`
	LastState    containerState `json:"lastState"`
}

type containerState struct {
	Waiting *struct {
		Reason  string `json:"reason"`
		Message string `json:"message"`
	} `json:"waiting"`
	Running *struct {
		StartedAt *time.Time `json:"startedAt"`
	} `json:"running"`
	Terminated *terminated `json:"terminated"`
}

type terminated struct {
	ExitCode    int        `json:"exitCode"`
	Signal      int        `json:"signal"`
	Reason      string     `json:"reason"`
	FinishedAt  *time.Time `json:"finishedAt"`
	ContainerID string     `json:"containerID"`
}

// ready reports whether the pod takes requests.
func (p *pod) ready() bool {
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True"
		}
	}
	return false
}

// revision names the template that the pod was made of.
func (p *pod) revision() string {
	for _, key := range [...]string{"pod-template-hash", "controller-revision-hash"} {
		if r := p.Meta.Labels[key]; r != "" {
			return r
		}
	}
	return ""
}

// notice is an Event of core/v1: what a component says of an object.
type notice struct {
	Meta     meta `json:"metadata"`
	Involved struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
		UID  string `json:"uid"`
		Path string `json:"fieldPath"` // spec.containers{orders}
	} `json:"involvedObject"`
	Reason  string     `json:"reason"`
	Message string     `json:"message"`
	Count   int        `json:"count"`
	Last    *time.Time `json:"lastTimestamp"`
	Time    *time.Time `json:"eventTime"`
	Series  *struct {
		Count int        `json:"count"`
		Last  *time.Time `json:"lastObservedTime"`
	} `json:"series"`
}

// at is when it was last seen.
func (n *notice) at() *time.Time {
	for _, t := range [...]*time.Time{n.seriesLast(), n.Last, n.Time} {
		if t != nil && !t.IsZero() {
			return t
		}
	}
	return nil
}

func (n *notice) seriesLast() *time.Time {
	if n.Series == nil {
		return nil
	}
	return n.Series.Last
}

// times is how often it happened.
func (n *notice) times() int {
	if n.Series != nil {
		return n.Series.Count
	}
	return max(n.Count, 1)
}

// selector is a LabelSelector of meta/v1.
type selector struct {
	MatchLabels      map[string]string `json:"matchLabels"`
	MatchExpressions []struct {
		Key      string   `json:"key"`
		Operator string   `json:"operator"`
		Values   []string `json:"values"`
	} `json:"matchExpressions"`
}

// owned is a Deployment, StatefulSet or DaemonSet of apps/v1.
type owned struct {
	Meta meta `json:"metadata"`
	Spec struct {
		Replicas *int     `json:"replicas"`
		Selector selector `json:"selector"`
	} `json:"spec"`
}

// change is one line of a watch.
type change struct {
	Type   string          `json:"type"` // ADDED, MODIFIED, DELETED, BOOKMARK, ERROR
	Object json.RawMessage `json:"object"`
}
