package workload_test

import (
	"strings"
	"testing"

	"github.com/rampload/rampload/profiles/workload"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]workload.Workload{
		"shop/deploy/orders":          {Namespace: "shop", Kind: workload.Deployment, Name: "orders"},
		"shop/deployment/orders":      {Namespace: "shop", Kind: workload.Deployment, Name: "orders"},
		"shop/sts/db":                 {Namespace: "shop", Kind: workload.StatefulSet, Name: "db"},
		"shop/daemonset/proxy":        {Namespace: "shop", Kind: workload.DaemonSet, Name: "proxy"},
		"shop/pod/orders-0":           {Namespace: "shop", Kind: workload.Pod, Name: "orders-0"},
		"shop/app=orders":             {Namespace: "shop", Kind: workload.Labels, Selector: "app=orders"},
		"shop/app.io/name=a,tier!=db": {Namespace: "shop", Kind: workload.Labels, Selector: "app.io/name=a,tier!=db"},
	} {
		got, err := workload.Parse(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if again, err := workload.Parse(got.String()); err != nil || again != got {
			t.Errorf("%s is written %s, and read as %+v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "orders", "deploy/orders", "shop/orders", "shop/job/x", "shop/deploy/", "shop/deploy/Or ders", "Shop/deploy/x", "shop/deploy/a/b", "shop/=x", "shop/a=b,", "shop/app=x&watch=1"} {
		if got, err := workload.Parse(text); err == nil || !strings.Contains(err.Error(), "shop/deploy/orders") {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestPods(t *testing.T) {
	long := strings.Repeat("a", 60)
	for _, tt := range []struct {
		of, pod string
		want    bool
	}{
		{"shop/deploy/orders", "orders-6d4cf56db6-x7k2p", true},
		{"shop/deploy/orders", "orders-db-6d4cf56db6-x7k2p", false},
		{"shop/deploy/orders-db", "orders-db-6d4cf56db6-x7k2p", true},
		{"shop/deploy/orders", "orders-0", false},
		{"shop/deploy/orders", "orders", false},
		{"shop/sts/db", "db-12", true},
		{"shop/sts/db", "db-x7k2p", false},
		{"shop/ds/proxy", "proxy-x7k2p", true},
		{"shop/ds/proxy", "proxy-6d4cf56db6-x7k2p", false},
		{"shop/ds/" + long, long[:58] + "x7k2p", true},
		{"shop/pod/orders-0", "orders-0", true},
		{"shop/pod/orders-0", "orders-01", false},
	} {
		w, err := workload.Parse(tt.of)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.Pods()(tt.pod); got != tt.want {
			t.Errorf("%s of %s: %t, want %t", tt.pod, tt.of, got, tt.want)
		}
	}
	if w, _ := workload.Parse("shop/app=orders"); w.Pods() != nil {
		t.Error("labels tell nothing of names")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"shop/deploy/orders", "shop/app=orders,tier!=x", "a/b", "/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := workload.Parse(text)
		if err != nil {
			return
		}
		if again, err := workload.Parse(w.String()); err != nil || again != w {
			t.Errorf("%q: %+v, then %+v, %v", text, w, again, err)
		}
		w.Pods()
	})
}
