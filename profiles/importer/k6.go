package importer

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
)

// k6 imports the options of a script: stages and thresholds. What the script does
// is code, and stays with k6.
func (imp *importing) k6(text string) error {
	at := k6Options.FindStringIndex(text)
	if at == nil {
		return fmt.Errorf("the script has no options: write export const options = {...}")
	}
	value, err := parseLiteral(text[at[1]:])
	if err != nil {
		return fmt.Errorf("read options: %w: only literal values can be imported", err)
	}
	options, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf("read options: they are no object")
	}
	p := &imp.out.Profile
	p.Targets = []profiles.Target{{Name: "target", URL: "http://127.0.0.1:8080"}}
	imp.note("write the target's url and requests: a script's functions are not imported")
	imp.stages(options)
	thresholds, _ := options["thresholds"].(map[string]any)
	for _, metric := range sortedKeys(thresholds) {
		for _, t := range asList(thresholds[metric]) {
			imp.threshold(metric, t)
		}
	}
	for _, key := range sortedKeys(options) {
		if !slices.Contains([]string{"stages", "thresholds", "vus", "duration", "scenarios"}, key) {
			imp.note("options.%s is not imported", key)
		}
	}
	return nil
}

var k6Options = regexp.MustCompile(`export\s+(?:const|let|var)\s+options\s*(?::\s*\w+\s*)?=\s*`)

// stages turns k6's ways to say a load into stages. Virtual users are a closed loop,
// whose nearest kin here are held connections at a rate each.
func (imp *importing) stages(options map[string]any) {
	if scenarios, ok := options["scenarios"].(map[string]any); ok {
		names := sortedKeys(scenarios)
		for i, name := range names {
			s, _ := scenarios[name].(map[string]any)
			if i > 0 {
				imp.note("scenario %s is not imported: stages of one profile follow each other, k6's scenarios run side by side", name)
				continue
			}
			imp.scenario(name, s)
		}
		return
	}
	imp.users(options, options["vus"])
}

// users imports stages of virtual users.
func (imp *importing) users(options map[string]any, start any) {
	from := int(number(start, 1))
	stages := asList(options["stages"])
	if len(stages) == 0 {
		if d := duration(options["duration"]); d > 0 {
			imp.connections(from, from, d)
		}
	}
	for _, s := range stages {
		stage, _ := s.(map[string]any)
		to, d := int(number(stage["target"], 0)), duration(stage["duration"])
		imp.connections(from, to, d)
		from = to
	}
	if len(imp.out.Profile.Load) > 0 {
		imp.out.Profile.Client = profiles.DefaultClient()
		imp.note("virtual users became held connections with one request a second each (client.per-connection): say how often a user asks")
	}
}

func (imp *importing) connections(from, to int, d time.Duration) {
	if d <= 0 || from == 0 && to == 0 {
		return
	}
	imp.out.Profile.Load = append(imp.out.Profile.Load, profiles.Connections{From: max(from, 1), To: max(to, 1), For: d})
}

// scenario imports one scenario by its executor.
func (imp *importing) scenario(name string, s map[string]any) {
	unit := duration(s["timeUnit"])
	if unit <= 0 {
		unit = time.Second
	}
	perSecond := func(v any) float64 { return number(v, 0) / unit.Seconds() }
	load := func(stage profiles.Stage) {
		if rate, _ := stage.MaxRate(0); rate > 0 && stage.Duration() > 0 {
			imp.out.Profile.Load = append(imp.out.Profile.Load, stage)
		}
	}
	switch executor, _ := s["executor"].(string); executor {
	case "constant-arrival-rate":
		rate := perSecond(s["rate"])
		load(profiles.Hold{Rate: rate, For: duration(s["duration"])})
	case "ramping-arrival-rate":
		from := perSecond(s["startRate"])
		for _, e := range asList(s["stages"]) {
			stage, _ := e.(map[string]any)
			to := perSecond(stage["target"])
			var next profiles.Stage = profiles.Ramp{From: from, To: to, For: duration(stage["duration"])}
			if from == to {
				next = profiles.Hold{Rate: to, For: duration(stage["duration"])}
			}
			load(next)
			from = to
		}
	case "ramping-vus":
		imp.users(s, s["startVUs"])
	case "constant-vus":
		imp.users(s, s["vus"])
	default:
		imp.note("scenario %s: its executor %q is not imported", name, executor)
	}
}

var (
	k6Rate       = regexp.MustCompile(`^rate\s*(<=?|>=?)\s*([0-9.]+)$`)
	k6Percentile = regexp.MustCompile(`^p\((\d+(?:\.\d+)?)\)\s*(<=?)\s*([0-9.]+)$`)
)

// threshold turns a threshold into a gate.
func (imp *importing) threshold(metric string, v any) {
	text, _ := v.(string)
	if m, ok := v.(map[string]any); ok {
		text, _ = m["threshold"].(string)
	}
	text = strings.TrimSpace(text)
	gate := ""
	if m := k6Rate.FindStringSubmatch(text); m != nil && metric == "http_req_failed" && m[1][0] == '<' {
		share, _ := strconv.ParseFloat(m[2], 64)
		gate = fmt.Sprintf("failures %s %s%%", m[1], trimNumber(share*100))
	} else if m := k6Percentile.FindStringSubmatch(text); m != nil && metric == "http_req_duration" {
		ms, _ := strconv.ParseFloat(m[3], 64)
		gate = fmt.Sprintf("p%s %s %sms", m[1], m[2], trimNumber(ms))
	}
	if gate == "" {
		imp.note("the threshold %s: %s is not imported", metric, quoted(text))
		return
	}
	g, err := profiles.ParseGate(gate)
	if err != nil {
		imp.note("the threshold %s: %s is not imported: %v", metric, quoted(text), err)
		return
	}
	imp.out.Profile.Gate = append(imp.out.Profile.Gate, g)
}

func trimNumber(v float64) string { return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64) }

func number(v any, otherwise float64) float64 {
	if f, ok := v.(float64); ok && f >= 0 && f < 1e9 {
		return f
	}
	return otherwise
}

// duration reads "1m30s", or a number of milliseconds.
func duration(v any) time.Duration {
	switch v := v.(type) {
	case string:
		if d, err := time.ParseDuration(v); err == nil && d > 0 {
			return d
		}
	case float64:
		if v > 0 && v < 1e12 {
			return time.Duration(v) * time.Millisecond
		}
	}
	return 0
}

func asList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	if v == nil {
		return nil
	}
	return []any{v}
}
