package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rampload/rampload/cmd/internal/cli"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/profiles/yaml"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

// TestAdviceIsTaken feeds what findings of recorded runs advise back to the program: every
// key, value and command that they name is one that it takes.
func TestAdviceIsTaken(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("..", "..", "report", "diagnose", "testdata", "*", "*.runlog.gz"))
	if err != nil || len(paths) < 50 {
		t.Fatalf("%d recorded runs: %v", len(paths), err)
	}
	const stride = 9 // a full look costs a minute
	seen := map[string]bool{}
	for i := 0; i < len(paths); i += stride {
		file, err := os.Open(paths[i])
		if err != nil {
			t.Fatal(err)
		}
		log, err := runlog.Read(file)
		file.Close()
		if err != nil {
			t.Fatalf("%s: %v", paths[i], err)
		}
		for _, blind := range []bool{false, true} {
			if blind { // nobody watched: the advice says how to
				for k := range log.Header.Targets {
					log.Header.Targets[k].Hosts = nil
				}
				log.Header.Hosts, log.Series, log.Events = nil, nil, nil
			}
			for _, f := range diagnose.Analyze(log).Findings {
				for _, advice := range f.Advice {
					if !seen[advice] {
						seen[advice] = true
						takes(t, advice)
					}
				}
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d pieces of advice were seen", len(seen))
	}
}

var (
	keyed     = regexp.MustCompile(`\b(client|gate|load|targets)\.([a-z-]+)\b`)
	commanded = regexp.MustCompile(`\brampload ([a-z]+)((?: --[a-z-]+(?: [A-Za-z0-9./-]+)?)*)`)
	flagged   = regexp.MustCompile(`--([a-z-]+)`)
)

// takes reports what of an advice the program would refuse.
func takes(t *testing.T, advice string) {
	t.Helper()
	for _, hosts := range snippets(advice, "hosts: [") {
		decodes(t, advice, hosts)
	}
	if !strings.Contains(advice, "hosts: ") {
		for _, processes := range snippets(advice, "processes: [") {
			decodes(t, advice, "hosts: [{name: orders-1, "+processes+"}]")
		}
	}
	var schema struct {
		Properties map[string]json.RawMessage `json:"properties"`
		Defs       json.RawMessage            `json:"$defs"`
	}
	if err := json.Unmarshal(yaml.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	for _, m := range keyed.FindAllStringSubmatch(advice, -1) {
		if !strings.Contains(string(schema.Properties[m[1]])+string(schema.Defs), fmt.Sprintf("%q", m[2])) {
			t.Errorf("%s: a profile has no key %s", advice, m[0])
		}
	}
	for _, m := range commanded.FindAllStringSubmatch(advice, -1) {
		command, _, err := cli.Command(console.Env{LookupEnv: os.LookupEnv}).Find([]string{m[1]})
		if err != nil || command.Name() != m[1] {
			if m[2] != "" { // "rampload used" is no command
				t.Errorf("%s: there is no command %q", advice, m[1])
			}
			continue
		}
		for _, f := range flagged.FindAllStringSubmatch(m[2], -1) {
			if command.Flags().Lookup(f[1]) == nil {
				t.Errorf("%s: %s has no flag --%s", advice, m[1], f[1])
			}
		}
	}
}

// snippets returns the lists in brackets that follow a key in a text.
func snippets(text, key string) (out []string) {
	for {
		_, rest, ok := strings.Cut(text, key)
		if !ok {
			return out
		}
		depth, end := 1, 0 // the key ends with the first bracket
		for i, r := range rest {
			switch r {
			case '[', '{':
				depth++
			case ']', '}':
				depth--
			}
			end = i + 1
			if depth == 0 {
				break
			}
		}
		out = append(out, key+rest[:end])
		text = rest[end:]
	}
}

func decodes(t *testing.T, advice, hosts string) {
	t.Helper()
	hosts = strings.NewReplacer("NAME", "orders-1", "COMMAND", "orders").Replace(hosts)
	text := "name: p\ntargets: [{name: orders, url: \"http://127.0.0.1:1\"}]\nload: [{at: 50/s, for: 1s}]\n" + hosts + "\n"
	if _, err := yaml.Decode("p.yaml", []byte(text), yaml.Options{}); err != nil {
		t.Errorf("%s: a profile refuses it: %v", advice, err)
	}
}
