package manifests

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/rampload/rampload/profiles/workload"
)

// TestRights decodes the rights strictly, and holds them against what the run asks the
// API server for (see probe/kube).
func TestRights(t *testing.T) {
	c := config(t)
	for _, text := range []string{"shop/deploy/orders", "shop/deploy/web", "shop/app=cart", "data/sts/db", "data/pod/job-1"} {
		w, err := workload.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		c.Workloads = append(c.Workloads, w)
	}
	if err := Write(c); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(c.Dir, RightsFile))
	if err != nil {
		t.Fatal(err)
	}
	var account corev1.ServiceAccount
	roles, bindings := map[string][]rbacv1.PolicyRule{}, map[string]rbacv1.RoleBinding{}
	for _, doc := range bytes.Split(text, []byte("\n---\n")) {
		var head struct{ Kind string }
		if err := yaml.Unmarshal(doc, &head); err != nil {
			t.Fatal(err)
		}
		switch head.Kind {
		case "ServiceAccount":
			err = yaml.UnmarshalStrict(doc, &account)
		case "Role":
			var r rbacv1.Role
			err = yaml.UnmarshalStrict(doc, &r)
			roles[r.Namespace] = r.Rules
		case "RoleBinding":
			var b rbacv1.RoleBinding
			err = yaml.UnmarshalStrict(doc, &b)
			bindings[b.Namespace] = b
		default:
			t.Errorf("nobody expects a %s", head.Kind)
		}
		if err != nil {
			t.Errorf("%v in:\n%s", err, doc)
		}
	}
	rule := func(group, resource string, verbs []string, names ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs, ResourceNames: names}
	}
	follow := []string{"list", "watch"}
	want := map[string][]rbacv1.PolicyRule{
		"shop": {rule("", "pods", follow), rule("", "events", follow), rule("apps", "deployments", []string{"get"}, "orders", "web")},
		"data": {rule("", "pods", follow), rule("", "events", follow), rule("apps", "statefulsets", []string{"get"}, "db")},
	}
	if diff := cmp.Diff(want, roles); diff != "" {
		t.Errorf("rights (-want +got):\n%s", diff)
	}
	for space := range want {
		b := bindings[space]
		if len(b.Subjects) != 1 || b.Subjects[0].Name != account.Name || b.Subjects[0].Namespace != c.Namespace || account.Namespace != c.Namespace || b.RoleRef.Name != "rampload-run" {
			t.Errorf("%s: %+v, of %s in %s", space, b, account.Name, account.Namespace)
		}
	}
	o := decode(t, c.Dir)
	for name, pod := range map[string]corev1.PodSpec{"run": o.Run.Spec.Template.Spec, "worker": o.Workers.Spec.Template.Spec, "agent": o.Agents.Spec.Template.Spec} {
		if token := *pod.AutomountServiceAccountToken; token != (name == "run") || (pod.ServiceAccountName == account.Name) != (name == "run") {
			t.Errorf("%s: token %t of %q", name, token, pod.ServiceAccountName)
		}
	}
}
