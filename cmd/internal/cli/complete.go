package cli

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/profiles/yaml"
)

// What a shell offers while a command line is typed.

type completer = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective)

// complete has a command and all below it offer what their flags take.
func complete(cmd *cobra.Command) {
	for name, by := range map[string]completer{
		"profile": completeProfiles, "set": completeKeys, "target": completeTargets("="), "only": completeTargets(""), "format": completeFormats,
	} {
		if cmd.Flags().Lookup(name) != nil || cmd.PersistentFlags().Lookup(name) != nil {
			_ = cmd.RegisterFlagCompletionFunc(name, by) // the flag is there, and has none yet
		}
	}
	for _, c := range cmd.Commands() {
		complete(c)
	}
}

// completeProfiles offers files of profiles and the embedded ones.
func completeProfiles(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	how := cobra.ShellCompDirectiveNoFileComp
	files, _ := filepath.Glob(word + "*") // a word that is no pattern names no files
	for _, name := range files {
		info, err := os.Stat(name)
		switch ending := filepath.Ext(name); {
		case err == nil && info.IsDir():
			out, how = append(out, name+string(filepath.Separator)), how|cobra.ShellCompDirectiveNoSpace
		case ending == ".yaml", ending == ".yml":
			out = append(out, name)
		}
	}
	for _, name := range yaml.BuiltinNames() {
		out = append(out, input.BuiltinPrefix+name)
	}
	return out, how
}

// completeReports offers the files that runs write.
func completeReports(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"json", "runlog"}, cobra.ShellCompDirectiveFilterFileExt
}

// completeKeys offers the keys of a profile, each to be followed by its value.
func completeKeys(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, k := range yaml.Keys() {
		out = append(out, k.Path+"=\t"+k.About)
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// completeTargets offers the targets of the profile that the line names already.
func completeTargets(after string) completer {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		path := ""
		if f := cmd.Flags().Lookup("profile"); f != nil {
			path = f.Value.String()
		}
		if path == "" && len(args) > 0 {
			path = args[0]
		}
		name, data, err := input.ReadProfile(path)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		// What comes of the environment does not matter here, as far as it can be anything.
		p, _ := yaml.Decode(name, data, yaml.Options{Getenv: func(string) (string, bool) { return "1", true }})
		var out []string
		for _, t := range p.Targets {
			out = append(out, t.Name+after)
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// completeFormats offers the formats that the flag's own help lists.
func completeFormats(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return console.FormatsOf(cmd.Flags()), cobra.ShellCompDirectiveNoFileComp
}

func completeScenarios(all []lab.Scenario) completer {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		var out []string
		for _, s := range all {
			if len(args) == 0 {
				out = append(out, s.Name+"\t"+s.About)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}
