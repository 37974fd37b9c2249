// Package kubetest is an API server for tests: it keeps objects of Kubernetes' own types
// (k8s.io/api), lists them in pages, streams what changes from a resource version on with
// bookmarks, forgets old versions (410 Gone) and refuses what nobody has the right to.
package kubetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// Token is what the server takes for a token.
const Token = "a token for tests"

// Server is the API server of a cluster. Its methods may be called at any time.
type Server struct {
	*httptest.Server

	mu        sync.Mutex
	version   int
	forgotten int // a watch from an older version is answered with 410
	objects   map[string]map[string]object
	log       []entry
	forbidden map[string]bool // "watch pods"
	more      chan struct{}   // closed when something changed
	cut       chan struct{}   // closed to end all watches
	asked     []string        // "list pods"
}

type object interface {
	metav1.Object
	runtime.Object
}

type entry struct {
	version  int
	resource string
	kind     watch.EventType
	object   object
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	s := &Server{objects: map[string]map[string]object{}, forbidden: map[string]bool{}, more: make(chan struct{}), cut: make(chan struct{}), version: 100}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() {
		s.Cut()
		s.Close()
	})
	return s
}

// Kubeconfig writes a kubeconfig whose user has the server's token by an exec plugin, and
// returns its path.
func (s *Server) Kubeconfig(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	plugin := filepath.Join(dir, "login")
	text := fmt.Sprintf("#!/bin/sh\necho '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":%q}}'\n", Token)
	if err := os.WriteFile(plugin, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	ca, _ := json.Marshal(pemOf(s.Certificate().Raw)) // []byte: base64
	path := filepath.Join(dir, "config")
	config := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
clusters:
  - {name: test, cluster: {server: %q, certificate-authority-data: %s}}
contexts:
  - {name: test, context: {cluster: test, user: somebody}}
users:
  - name: somebody
    user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: %q, interactiveMode: Never}}
`, s.URL, ca, plugin)
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Put adds an object or changes it.
func (s *Server) Put(o object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	resource := resourceOf(o)
	if s.objects[resource] == nil {
		s.objects[resource] = map[string]object{}
	}
	key := o.GetNamespace() + "/" + o.GetName()
	kind := watch.Modified
	if s.objects[resource][key] == nil {
		kind = watch.Added
	}
	s.version++
	kept := o.DeepCopyObject().(object)
	kept.SetResourceVersion(strconv.Itoa(s.version))
	s.objects[resource][key] = kept
	s.tell(entry{s.version, resource, kind, kept})
}

func (s *Server) tell(e entry) {
	s.log = append(s.log, e)
	close(s.more)
	s.more = make(chan struct{})
}

// Forbid takes a right away: "watch", "pods".
func (s *Server) Forbid(verb, resource string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forbidden[verb+" "+resource] = true
}

// Forget ends all watches, and forgets what was before now.
func (s *Server) Forget() {
	s.mu.Lock()
	s.version++
	s.forgotten = s.version
	s.mu.Unlock()
	s.Cut()
}

// Cut ends all watches.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.cut)
	s.cut = make(chan struct{})
}

// Asked returns what was asked for, as "watch pods", each once and in order.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.asked)
	slices.Sort(out)
	return slices.Compact(out)
}

func resourceOf(o object) string {
	switch o.(type) {
	case *corev1.Pod:
		return "pods"
	case *corev1.Event:
		return "events"
	case *appsv1.Deployment:
		return "deployments"
	case *appsv1.StatefulSet:
		return "statefulsets"
	case *appsv1.DaemonSet:
		return "daemonsets"
	}
	panic(fmt.Sprintf("kubetest: no resource for %T", o))
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	// /api/v1/namespaces/NS/RESOURCE[/NAME] or /apis/GROUP/v1/namespaces/NS/RESOURCE[/NAME]
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	group, rest := "", []string(nil)
	switch {
	case len(parts) > 3 && parts[0] == "api" && parts[1] == "v1":
		rest = parts[2:]
	case len(parts) > 4 && parts[0] == "apis" && parts[2] == "v1":
		group, rest = parts[1], parts[3:]
	}
	if len(rest) < 3 || rest[0] != "namespaces" || r.Method != http.MethodGet {
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, "the server could not find the requested resource")
		return
	}
	space, resource, name := rest[1], rest[2], strings.Join(rest[3:], "/")
	verb := "list"
	switch {
	case name != "":
		verb = "get"
	case r.URL.Query().Get("watch") != "":
		verb = "watch"
	}
	s.mu.Lock()
	s.asked = append(s.asked, verb+" "+resource)
	refused := s.forbidden[verb+" "+resource]
	s.mu.Unlock()
	switch {
	case r.Header.Get("Authorization") != "Bearer "+Token:
		fail(w, http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "Unauthorized")
	case refused:
		fail(w, http.StatusForbidden, metav1.StatusReasonForbidden, fmt.Sprintf("%s is forbidden: User \"somebody\" cannot %s resource %q in API group %q in the namespace %q", resource, verb, resource, group, space))
	case verb == "get":
		s.get(w, resource, space, name)
	case verb == "watch":
		s.watch(w, r, resource, space)
	default:
		s.list(w, r, resource, space)
	}
}

func fail(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(failure(code, reason, message))
}

func failure(code int, reason metav1.StatusReason, message string) metav1.Status {
	return metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
		Code: int32(code), Reason: reason, Message: message,
	}
}

func (s *Server) get(w http.ResponseWriter, resource, space, name string) {
	s.mu.Lock()
	o := s.objects[resource][space+"/"+name]
	s.mu.Unlock()
	if o == nil {
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, fmt.Sprintf("%s %q not found", resource, name))
		return
	}
	_ = json.NewEncoder(w).Encode(o)
}

// selects returns what a query selects of objects. It knows the selectors that are used.
func selects(r *http.Request, space string) func(object) bool {
	q := r.URL.Query()
	want, err := labels.Parse(q.Get("labelSelector"))
	if err != nil {
		return func(object) bool { return false }
	}
	field, value, _ := strings.Cut(q.Get("fieldSelector"), "=")
	return func(o object) bool {
		switch field {
		case "metadata.name":
			if o.GetName() != value {
				return false
			}
		case "involvedObject.kind":
			if e, is := o.(*corev1.Event); !is || e.InvolvedObject.Kind != value {
				return false
			}
		}
		return o.GetNamespace() == space && want.Matches(labels.Set(o.GetLabels()))
	}
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, resource, space string) {
	selected := selects(r, space)
	s.mu.Lock()
	var items []object
	for _, o := range s.objects[resource] {
		if selected(o) {
			items = append(items, o)
		}
	}
	version := s.version
	s.mu.Unlock()
	slices.SortFunc(items, func(x, y object) int { return strings.Compare(x.GetName(), y.GetName()) })
	from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	meta := metav1.ListMeta{ResourceVersion: strconv.Itoa(version)}
	items = items[min(from, len(items)):]
	if limit > 0 && len(items) > limit {
		items, meta.Continue = items[:limit], strconv.Itoa(from+limit)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": "v1", "kind": "List", "metadata": meta, "items": items})
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request, resource, space string) {
	selected := selects(r, space)
	from, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	flush := w.(http.Flusher)
	line := func(kind watch.EventType, o any) {
		_ = json.NewEncoder(w).Encode(map[string]any{"type": kind, "object": o})
		flush.Flush()
	}
	w.Header().Set("Content-Type", "application/json")
	flush.Flush()
	for {
		s.mu.Lock()
		old, now := from < s.forgotten, s.version
		var news []entry
		for _, e := range s.log {
			if e.version > from && e.resource == resource && selected(e.object) {
				news = append(news, e)
			}
		}
		more, cut := s.more, s.cut
		s.mu.Unlock()
		if old {
			line(watch.Error, failure(http.StatusGone, metav1.StatusReasonExpired, fmt.Sprintf("too old resource version: %d", from)))
			return
		}
		for _, e := range news {
			line(e.kind, e.object)
		}
		if now > from {
			line(watch.Bookmark, map[string]any{"kind": "Pod", "apiVersion": "v1", "metadata": map[string]any{"resourceVersion": strconv.Itoa(now)}})
		}
		from = now
		select {
		case <-more:
		case <-cut:
			return
		case <-r.Context().Done():
			return
		}
	}
}
