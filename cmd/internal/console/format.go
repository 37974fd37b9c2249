package console

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// FormatFlag adds --format, one of formats; see [ChooseFormat].
func FormatFlag(f *pflag.FlagSet, format *string, formats []string) {
	f.StringVarP(format, "format", "f", "", "`FORMAT`: "+strings.Join(formats, ", ")+" (default as the name of --out ends, else table)")
	f.Lookup("format").Annotations = map[string][]string{formatsKey: formats}
}

// formatsKey is where the flag keeps its formats.
const formatsKey = "formats"

// FormatsOf returns the formats of --format; none where there is no such flag.
func FormatsOf(f *pflag.FlagSet) []string {
	if flag := f.Lookup("format"); flag != nil {
		return flag.Annotations[formatsKey]
	}
	return nil
}

// ChooseFormat is the format that was asked for, or that the ending of out tells:
// who writes peak.html does not want a table in it.
func ChooseFormat(format, out string, formats []string) (string, error) {
	if format != "" {
		if !slices.Contains(formats, format) {
			return "", Usage(fmt.Errorf("--format %q is not a format: write one of %s", format, strings.Join(formats, ", ")))
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
