package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/rampload/rampload/cmd/internal/cli/fleetcmd"
)

// writeDocs writes a man page for each command, completions for the shells, and the
// systemd unit of an agent. The pages carry the time of $SOURCE_DATE_EPOCH, that of the
// commit: two releases of one commit are equal.
func writeDocs(root *cobra.Command, dir string) error {
	man, completions := filepath.Join(dir, "man"), filepath.Join(dir, "completions")
	for _, d := range []string{man, completions} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	root.DisableAutoGenTag = true
	if err := doc.GenManTree(root, &doc.GenManHeader{Title: "RAMPLOAD", Section: "1", Source: "rampload"}, man); err != nil {
		return fmt.Errorf("write man pages: %w", err)
	}
	for name, write := range map[string]func(string) error{
		"rampload.bash": func(f string) error { return root.GenBashCompletionFileV2(f, true) },
		"_rampload":     root.GenZshCompletionFile,
		"rampload.fish": func(f string) error { return root.GenFishCompletionFile(f, true) },
	} {
		if err := write(filepath.Join(completions, name)); err != nil {
			return fmt.Errorf("write completion %s: %w", name, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "rampload-agent.service"), []byte(fleetcmd.PackagedUnit()), 0o644); err != nil {
		return fmt.Errorf("write systemd unit: %w", err)
	}
	return nil
}
