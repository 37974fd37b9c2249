package cli

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// formatFlag adds --format, one of formats; see [chooseFormat].
func formatFlag(f *pflag.FlagSet, format *string, formats []string) {
	f.StringVarP(format, "format", "f", "", "`FORMAT`: "+strings.Join(formats, ", ")+" (default as the name of --out ends, else table)")
}

// chooseFormat is the format that was asked for, or that the ending of out tells:
// who writes peak.html does not want a table in it.
func chooseFormat(format, out string, formats []string) (string, error) {
	if format != "" {
		if !slices.Contains(formats, format) {
			return "", usage(fmt.Errorf("--format %q is not a format: write one of %s", format, strings.Join(formats, ", ")))
		}
		return format, nil
	}
	ending := strings.TrimPrefix(filepath.Ext(out), ".")
	if ending == "xml" {
		ending = "junit"
	}
	if slices.Contains(formats, ending) {
		return ending, nil
	}
	return "table", nil
}
