package fleetcmd

import (
	"cmp"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/fleet/manifests"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/workload"
)

func newFleetManifests(env console.Env) *cobra.Command {
	var (
		profile string
		workers int
		cfg     manifests.Config
	)
	cmd := &cobra.Command{
		Use:   "manifests FOLDER --profile FILE --image IMAGE",
		Short: "Write a run in Kubernetes: NATS, workers, an agent on each node, the run as a job",
		Long: `manifests makes a folder for kubectl apply -k: a NATS server, workers as an Indexed
Job, an agent on each node with exactly the capabilities that it needs, the run as a
Job, and a kustomization that joins them with the profile and with credentials that
are made for this folder and valid for --valid.

Workers send to the targets of the profile only, or to those of --allow-target. Hosts
of the profile are what runs in the cluster: the run finds the pods and the agents of
their nodes, and follows restarts, evictions and rolling updates, with the rights that
rights.yaml gives it. Or they name an agent by its node, and what runs there by its pod:

  hosts:
    - {name: orders, kubernetes: shop/deploy/orders}
    - {name: db, agent: node-3, processes: [{pod: shop/db-*}],
       logs: [{file: '/var/log/pods/shop_db-*/*/*.log', service: db}]}

Variables of the profile come from a secret called rampload-env, if it is there.
Where no agent may run, a debug container watches one pod with what it may see:

  kubectl debug -it -n shop orders-0 --image=IMAGE --target=orders --profile=sysadmin -- rampload probe`,
		Example: `  rampload fleet manifests k8s --profile peak.yaml --image registry.internal/rampload:v1 --workers 4
  kubectl create namespace rampload && kubectl apply -k k8s
  kubectl logs -n rampload -f job/rampload-run`,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := console.ExactArgs("rampload fleet manifests k8s --profile peak.yaml --image registry.internal/rampload:v1", 1)(nil, args); err != nil {
				return err
			}
			if profile == "" {
				return console.Usage(fmt.Errorf("no profile: name one with --profile FILE"))
			}
			p, text, err := profileForPods(env, profile, workers)
			if err != nil {
				return err
			}
			cfg.Dir, cfg.Workers, cfg.Profile, cfg.Now = args[0], p.Fleet.Workers, text, time.Now()
			cfg.Workloads = workloadsOf(p)
			if len(cfg.AllowTargets) == 0 {
				cfg.AllowTargets = placesOf(p)
			}
			for _, one := range cfg.AllowTargets {
				if _, err := parseAllowed(one); err != nil {
					return console.Usage(err)
				}
			}
			if err := manifests.Write(cfg); err != nil {
				return console.Usage(err)
			}
			return console.Printed(fmt.Fprint(env.Stdout, appliedSo(cfg, p)))
		},
	}
	f := cmd.Flags()
	f.StringVarP(&profile, "profile", "p", "", "profile to run: a `FILE`")
	f.StringVar(&cfg.Image, "image", "", "`IMAGE` of rampload that the cluster can pull")
	f.StringVar(&cfg.NATSImage, "nats-image", manifests.DefaultNATS, "`IMAGE` of nats-server")
	f.StringVar(&cfg.Namespace, "namespace", "rampload", "`NAMESPACE` for everything")
	f.IntVar(&workers, "workers", 0, "workers that send the load: `N` (default as the profile says, else 2)")
	f.StringArrayVar(&cfg.AllowTargets, "allow-target", nil, "what workers may send to: `URL` or HOST:PORT (repeatable; default the targets of the profile)")
	f.DurationVar(&cfg.Valid, "valid", 90*24*time.Hour, "how long the credentials are good: `DURATION`")
	f.BoolVar(&cfg.Helm, "helm", false, "write a chart for Helm instead, with image, workers and targets as its values")
	return cmd
}

// profileForPods reads a profile as the run's pod will, and its text.
func profileForPods(env console.Env, path string, workers int) (profiles.Profile, []byte, error) {
	name, text, err := input.ReadProfile(path)
	if err != nil {
		return profiles.Profile{}, nil, console.Usage(err)
	}
	plain, err := input.LoadProfile(env, &input.Globals{}, &input.Flags{Profile: path, Scale: 1})
	if err != nil {
		return plain, nil, err
	}
	if plain.Fleet.Listen != "" {
		return plain, nil, console.Usage(fmt.Errorf("%s: fleet.listen: in the cluster the run is no server: leave out listen", name))
	}
	plain.Fleet.Workers = cmp.Or(workers, plain.Fleet.Workers, 2)
	return plain, text, nil
}

// workloadsOf are those that hosts of a profile are in Kubernetes.
func workloadsOf(p profiles.Profile) (out []workload.Workload) {
	for _, h := range p.Hosts {
		if w, err := workload.Parse(h.Kubernetes); err == nil {
			out = append(out, w)
		}
	}
	return out
}

// placesOf are the places that the targets of a profile are at, as host:port.
func placesOf(p profiles.Profile) []string {
	var out []string
	for _, t := range p.Targets {
		for _, base := range t.Bases() {
			if u, err := url.Parse(t.Reached(base)); err == nil && u.Host != "" && !slices.Contains(out, place(u)) {
				out = append(out, place(u))
			}
		}
	}
	return out
}

// rightsOf is the line that gives the run its rights at the API server, if it needs any.
func rightsOf(c manifests.Config) string {
	if len(c.Workloads) == 0 {
		return ""
	}
	return fmt.Sprintf("  kubectl apply -f %s/%s            the right to find and follow the pods\n", c.Dir, manifests.RightsFile)
}

// folder is a path that Helm does not take for the name of a repository's chart.
func folder(dir string) string {
	if filepath.IsAbs(dir) || strings.HasPrefix(dir, ".") {
		return dir
	}
	return "./" + dir
}

// appliedSo says what is in the folder and how it is used.
func appliedSo(c manifests.Config, p profiles.Profile) string {
	var b strings.Builder
	start, end := fmt.Sprintf("kubectl apply -k %s", c.Dir), fmt.Sprintf("kubectl delete -k %-20s", c.Dir)
	if c.Helm {
		start, end = fmt.Sprintf("helm install rampload %s --namespace %s", folder(c.Dir), c.Namespace), fmt.Sprintf("helm uninstall rampload --namespace %s ", c.Namespace)
	}
	fmt.Fprintf(&b, `%[1]s has the run for Kubernetes, with credentials that are valid until %[2]s.

  kubectl create namespace %[3]s
%[6]s  %[7]s
  kubectl logs -n %[3]s -f job/rampload-run      its progress and verdict
  %[8]s       when it is done; the reports go with it

%[4]d workers send to %[5]s.
`, c.Dir, c.Now.Add(c.Valid).UTC().Format("2006-01-02"), c.Namespace, c.Workers, strings.Join(c.AllowTargets, ", "), rightsOf(c), start, end)
	for _, h := range p.Hosts {
		if !h.Agent.Given() && h.Kubernetes == "" && len(h.Prometheus) == 0 && h.Name != profiles.LocalHost {
			fmt.Fprintf(&b, "\nHost %s has no agent: name the node that it runs on, with agent: NODE.\n", h.Name)
		}
	}
	for _, t := range p.Targets {
		if t.File != "" {
			fmt.Fprintf(&b, "\nTarget %s reads %s: put that file beside profile.yaml, and into files: of the configMapGenerator.\n", t.Name, t.File)
		}
	}
	return b.String()
}
