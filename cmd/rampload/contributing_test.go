package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the guide for contributors names is there: files, folders and make targets.
func TestContributingIsTrue(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, ".github", "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(string(text), -1) {
		switch what := m[1]; {
		case strings.HasPrefix(what, "make "):
			named++
			if !regexp.MustCompile(`(?m)^` + strings.TrimPrefix(what, "make ") + `:`).Match(makefile) {
				t.Errorf("%s is no target of the Makefile", what)
			}
		case strings.Contains(what, "/") && !strings.ContainsAny(what, " ="):
			named++
			if _, err := os.Stat(filepath.Join(root, what)); err != nil {
				t.Errorf("%s is not there", what)
			}
		}
	}
	if named < 15 {
		t.Errorf("only %d files and targets are named", named)
	}
}
