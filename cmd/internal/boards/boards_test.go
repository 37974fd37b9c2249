package boards

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

var update = flag.Bool("update", false, "write dashboard.json")

// TestDashboard makes the dashboard with Grafana's library, which checks what it is made
// of, and holds the one in the program against it.
func TestDashboard(t *testing.T) {
	made, err := build()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(made, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile("dashboard.json", text, 0o644); err != nil { //nolint:gosec // it is for everybody
			t.Fatal(err)
		}
	} else if string(text) != Dashboard() {
		t.Error("dashboard.json is not what Grafana's library makes of the panels: go test ./cmd/internal/boards -update")
	}
	// Back through the library's types: nothing that they do not know.
	var back dashboard.Dashboard //nolint:staticcheck // the form of dashboards that every Grafana of today reads
	var wrong cog.BuildErrors    // empty where nothing is
	if err := back.UnmarshalJSONStrict(text); err != nil && (!errors.As(err, &wrong) || len(wrong) > 0) {
		t.Errorf("read by its schema: %s", err)
	}
	if err := back.Validate(); err != nil {
		t.Errorf("held against its schema: %s", err)
	}
}

// build makes the dashboard of the panels.
func build() (dashboard.Dashboard, error) { //nolint:staticcheck // the form of dashboards that every Grafana of today reads
	source := common.DataSourceRef{Type: new("prometheus"), Uid: new("${datasource}")}
	query := func(text string) dashboard.StringOrMap { return dashboard.StringOrMap{String: &text} }
	b := dashboard.NewDashboardBuilder("rampload").Uid("rampload").Tags([]string{"rampload", "load-test"}). //nolint:staticcheck // the form of dashboards that every Grafana of today reads
														Description("Runs of rampload: load, resets and other faults, latency, resources against their limits, and the verdict.").
														Time("now-15m", "now").Refresh("5s").Timezone("browser").Tooltip(dashboard.DashboardCursorSyncCrosshair).
														WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Prometheus").Type("prometheus")).
														WithVariable(dashboard.NewQueryVariableBuilder("name").Label("Profile").Datasource(source).Query(query("label_values(rampload_run_info, name)")).
															Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Sort(dashboard.VariableSortAlphabeticalAsc)).
														WithVariable(dashboard.NewQueryVariableBuilder("run").Label("Run").Datasource(source).Query(query(`label_values(rampload_run_info{name="$name"}, run)`)).
															Refresh(dashboard.VariableRefreshOnTimeRangeChanged)).
														WithVariable(dashboard.NewQueryVariableBuilder("target").Label("Target").Datasource(source).Query(query(`label_values(rampload_requests_total{run="$run"}, target)`)).
															Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Multi(true).IncludeAll(true).AllValue(".*"))
	for _, p := range Panels() {
		if p.Row != "" {
			b = b.WithRow(dashboard.NewRowBuilder(p.Row))
		}
		queries := make([]*prometheus.DataqueryBuilder, len(p.Queries))
		for i, q := range p.Queries {
			one := prometheus.NewDataqueryBuilder().Datasource(source).Expr(q.Expr).RefId(string(rune('A' + i)))
			if q.Legend != "" {
				one = one.LegendFormat(q.Legend)
			}
			if p.Shape == Table {
				one = one.Instant().Format(prometheus.PromQueryFormatTable)
			}
			queries[i] = one
		}
		var panel cog.Builder[dashboard.Panel]
		switch p.Shape {
		case Number, Word:
			s := stat.NewPanelBuilder().Title(p.Title).Description(p.About).Datasource(source).Unit(p.Unit).Span(p.Width).Height(4).
				GraphMode(common.BigValueGraphModeNone).ColorMode(common.BigValueColorModeValue).
				ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}))
			if p.Shape == Word {
				s = s.TextMode(common.BigValueTextModeName)
			}
			for _, q := range queries {
				s = s.WithTarget(q)
			}
			panel = s
		case Table:
			s := table.NewPanelBuilder().Title(p.Title).Description(p.About).Datasource(source).Span(p.Width).Height(6).
				WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{"excludeByName": map[string]bool{"Time": true, "Value": true}}})
			for _, q := range queries {
				s = s.WithTarget(q)
			}
			panel = s
		default:
			s := timeseries.NewPanelBuilder().Title(p.Title).Description(p.About).Datasource(source).Unit(p.Unit).Span(p.Width).Height(8).Min(0)
			for _, q := range queries {
				s = s.WithTarget(q)
			}
			panel = s
		}
		b = b.WithPanel(panel)
	}
	return b.Build()
}

// TestRulesFile reads the file as YAML, and lets promtool check it where it is installed.
func TestRulesFile(t *testing.T) {
	var file struct {
		Groups []struct {
			Rules []map[string]any
		}
	}
	if err := yaml.Unmarshal([]byte(RulesFile()), &file); err != nil {
		t.Fatal(err)
	}
	if got, want := len(file.Groups[0].Rules), len(Rules()); got != want {
		t.Errorf("%d rules, want %d", got, want)
	}
	for i, r := range Rules() {
		if got := file.Groups[0].Rules[i]["expr"]; got != r.Expr() {
			t.Errorf("%s%s is %v, want %s", r.Record, r.Alert, got, r.Expr())
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("RAMPLOAD_NO_SKIP") == "1" {
			t.Fatal("promtool is not installed")
		}
		t.Skip("promtool is not installed")
	}
	path := filepath.Join(t.TempDir(), "rampload.rules.yml")
	if err := os.WriteFile(path, []byte(RulesFile()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(promtool, "check", "rules", path).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "SUCCESS: "+strconv.Itoa(len(Rules()))+" rules found") {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
