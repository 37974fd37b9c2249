// Package kube finds pods through a cluster's API server, and tells what happens to them
// while a run goes on: containers that were killed for memory, probes that failed, pods
// that were evicted or taken out of service, and rolling updates. It reads, and changes
// nothing. It does not watch what a pod uses: that is the agent's of its node.
package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// The API is spoken to over plain HTTP with the few fields that are read (types.go):
// client-go's own clients would make the program half as large again. Who may speak to
// it, and how, is client-go's matter: kubeconfigs, tokens, certificates, exec plugins.

const (
	// answerIn is how long an answer may take that does not stay open.
	answerIn = 10 * time.Second
	// pageSize is how many objects are asked for at once.
	pageSize = 500
	// maxObject bounds one object of an answer, in bytes. An object in etcd is at most
	// 1.5 MB.
	maxObject = 4 << 20
	// maxPage bounds one page of a list, in bytes.
	maxPage = 256 << 20
)

// Client speaks to the API server of a cluster. It is safe for concurrent use.
type Client struct {
	http  *http.Client
	base  *url.URL
	where string
}

// Open connects as kubectl does: by KUBECONFIG, ~/.kube/config with its current context,
// or, in a pod, by the pod's own service account. Nothing is sent yet. The error says in
// one line what is missing.
func Open() (*Client, error) {
	return open(clientcmd.NewDefaultClientConfigLoadingRules())
}

func open(rules *clientcmd.ClientConfigLoadingRules) (*Client, error) {
	rules.WarnIfAllMissing = false
	cfg, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	switch {
	case clientcmd.IsEmptyConfig(err):
		return nil, errors.New("no cluster is configured: set KUBECONFIG, or run in a pod with a service account; kubectl get pods must work here")
	case err != nil:
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	return NewClient(cfg)
}

// NewClient returns a client for a cluster that is known already.
func NewClient(cfg *rest.Config) (*Client, error) {
	own := rest.CopyConfig(cfg)
	own.Timeout = 0 // a watch stays open
	own.UserAgent = "rampload"
	own.WarningHandler = rest.NoWarnings{}
	base, _, err := rest.DefaultServerUrlFor(own)
	if err != nil {
		return nil, fmt.Errorf("read the address of the API server: %w", err)
	}
	client, err := rest.HTTPClientFor(own)
	if err != nil {
		return nil, fmt.Errorf("prepare to speak to %s: %w", base.Host, err)
	}
	return &Client{http: client, base: base, where: base.Host}, nil
}

// Where names the API server.
func (c *Client) Where() string { return c.where }

// ask sends a request and returns the body of a good answer.
func (c *Client) ask(ctx context.Context, r request) (io.ReadCloser, error) {
	u := *c.base
	u.Path = strings.TrimSuffix(u.Path, "/") + r.path()
	u.RawQuery = r.query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", c.where, err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the API server does not answer: %w", withoutURL(err))
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		var s status
		if json.Unmarshal(text, &s) != nil || s.Kind != "Status" {
			s = status{Code: resp.StatusCode, Message: resp.Status}
		}
		return nil, r.refused(s)
	}
	return resp.Body, nil
}

// withoutURL leaves out the URL, which says nothing to whoever reads the error.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// request is one request for objects of a kind.
type request struct {
	verb      string // "get", "list", "watch"
	group     string // "apps"; empty for the core
	resource  string // "pods"
	namespace string
	name      string // get
	query     url.Values
}

func (r request) path() string {
	at := "/api/v1"
	if r.group != "" {
		at = "/apis/" + r.group + "/v1"
	}
	at += "/namespaces/" + url.PathEscape(r.namespace) + "/" + r.resource
	if r.name != "" {
		at += "/" + url.PathEscape(r.name)
	}
	return at
}

// refused says what an API server refused, and what would let it agree.
func (r request) refused(s status) error {
	kind := r.resource
	if r.group != "" {
		kind += "." + r.group
	}
	switch s.Code {
	case http.StatusForbidden:
		return &Forbidden{Verb: r.verb, Resource: kind, Namespace: r.namespace}
	case http.StatusUnauthorized:
		return errors.New("the API server does not accept the credentials: kubectl get pods must work here")
	case http.StatusNotFound:
		return fmt.Errorf("there is no %s in namespace %s: kubectl get -n %s %s shows what is there", strings.TrimSuffix(r.resource, "s")+" "+r.name, r.namespace, r.namespace, r.resource)
	case http.StatusGone:
		return errExpired
	}
	return fmt.Errorf("the API server answers %d to %s %s: %s", s.Code, r.verb, kind, s.Message)
}

// Forbidden says which right is missing.
type Forbidden struct{ Verb, Resource, Namespace string }

// Error names the right, and how it is given.
func (f *Forbidden) Error() string {
	return fmt.Sprintf("the right to %s %s in namespace %s is missing: kubectl create role rampload --verb=get,list,watch --resource=pods,events,%s -n %s, and a rolebinding; rampload fleet manifests writes both",
		f.Verb, f.Resource, f.Namespace, "deployments.apps,statefulsets.apps,daemonsets.apps", f.Namespace)
}

// errExpired says that what was asked for is forgotten: it is read anew.
var errExpired = errors.New("the API server has forgotten where we were")

// get reads one object.
func (c *Client) get(ctx context.Context, r request, into any) error {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	body, err := c.ask(ctx, r)
	if err != nil {
		return err
	}
	defer body.Close()
	return decode(io.LimitReader(body, maxPage), into)
}

func decode(from io.Reader, into any) error {
	if err := json.NewDecoder(from).Decode(into); err != nil {
		return fmt.Errorf("what the API server answers is none of Kubernetes': %w", err)
	}
	return nil
}

// list reads all objects of a kind, and the version that a watch goes on from.
func list[T any](ctx context.Context, c *Client, r request) (items []T, version string, err error) {
	r.verb = "list"
	r.query = clone(r.query)
	r.query.Set("limit", fmt.Sprint(pageSize))
	for {
		var page struct {
			Metadata struct {
				ResourceVersion string `json:"resourceVersion"`
				Continue        string `json:"continue"`
			} `json:"metadata"`
			Items []T `json:"items"`
		}
		if err := c.get(ctx, r, &page); err != nil {
			return nil, "", err
		}
		items = append(items, page.Items...)
		if page.Metadata.Continue == "" {
			return items, page.Metadata.ResourceVersion, nil
		}
		r.query.Set("continue", page.Metadata.Continue)
	}
}

func clone(v url.Values) url.Values {
	out := url.Values{}
	for key, values := range v {
		out[key] = append([]string(nil), values...)
	}
	return out
}
