package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/profiles/importer"
	"github.com/rampload/rampload/profiles/yaml"
	"github.com/rampload/rampload/report/format"
)

func newImport(env console.Env, g *input.Globals) *cobra.Command {
	var kind string
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Make a profile of a HAR, an OpenAPI description, a curl command, vegeta targets or k6 options",
		Example: `  rampload import shop.har > shop.yaml         a browser's recording
  rampload import openapi.yaml > api.yaml      an operation each
  pbpaste | rampload import - > orders.yaml    a curl command, as browsers copy it`,
		Args: console.ExactArgs("rampload import shop.har > shop.yaml", 1),
		RunE: func(_ *cobra.Command, args []string) error {
			in, err := importFile(env, args[0], importer.Format(kind))
			if err != nil {
				return console.Usage(err)
			}
			text, err := importedText(in)
			if err != nil {
				return console.Usage(err)
			}
			if err := console.WriteOut(env, g.Out, func(w io.Writer, _ console.Terminal) error {
				_, err := io.WriteString(w, text)
				return err
			}); err != nil {
				return err
			}
			if len(in.Notes) > 0 {
				fmt.Fprintf(env.Stderr, "rampload: %s to look over: see the head of the profile\n", format.Counted(len(in.Notes), "thing"))
			}
			return nil
		},
	}
	var names []string
	for _, f := range importer.Formats() {
		names = append(names, string(f))
	}
	cmd.Flags().StringVar(&kind, "format", "", "what FILE is (`"+strings.Join(names, "|")+"`); without it, its content tells")
	return cmd
}

// importFile imports a file, or standard input for "-".
func importFile(env console.Env, path string, format importer.Format) (importer.Imported, error) {
	if path != "-" {
		return importer.Read(path, format)
	}
	const most = 64 << 20
	data, err := io.ReadAll(io.LimitReader(env.Stdin, most+1))
	if err != nil {
		return importer.Imported{}, fmt.Errorf("read standard input: %w", err)
	}
	if len(data) > most {
		return importer.Imported{}, fmt.Errorf("standard input has more than %d MiB: write it into a file", most>>20)
	}
	return importer.Import("standard-input", data, format)
}

// importedText is the profile as YAML, with variables where the file had secrets,
// and what is left to do as comments at its head.
func importedText(in importer.Imported) (string, error) {
	body, err := yaml.Marshal(in.Profile)
	if err != nil {
		return "", err
	}
	text := string(body)
	for _, v := range in.Variables { // Marshal takes "$" for itself
		text = strings.ReplaceAll(text, "$${"+v+"}", "${"+v+"}")
	}
	var b strings.Builder
	b.WriteString("# Made by rampload import. Look it over: rampload check FILE validates it and prints the plan.\n")
	for _, note := range in.Notes {
		fmt.Fprintf(&b, "# - %s\n", note)
	}
	return b.String() + strings.TrimSuffix(text, "\n") + "\n", nil
}
