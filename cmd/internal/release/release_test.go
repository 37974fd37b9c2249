package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/rampload/rampload/cmd/internal/cli"
	"github.com/rampload/rampload/cmd/internal/console"
)

// TestImage writes an image twice: it holds the program, and both are equal.
func TestImage(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "rampload")
	if err := os.WriteFile(program, []byte("a program"), 0o755); err != nil {
		t.Fatal(err)
	}
	var images [2][]byte
	for i, name := range []string{"one.tar", "two.tar"} {
		out := filepath.Join(dir, name)
		if err := run([]string{"image", program, "arm64", "rampload:v1", out}); err != nil {
			t.Fatal(err)
		}
		image, err := tarball.ImageFromPath(out, nil)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.Architecture != "arm64" || len(config.Config.Entrypoint) != 1 || config.Config.Entrypoint[0] != "/usr/bin/rampload" {
			t.Errorf("%+v", config)
		}
		if images[i], err = os.ReadFile(out); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(images[0], images[1]) {
		t.Error("two images of one program differ")
	}
	layer, err := layerOf(program)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(layer, []byte("a program")) {
		t.Error("the layer has no program")
	}
}

// TestDocs: every command that people are shown has a man page.
func TestDocs(t *testing.T) {
	dir := t.TempDir()
	if err := run([]string{"docs", dir}); err != nil {
		t.Fatal(err)
	}
	root := cli.Command(console.Env{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, LookupEnv: os.LookupEnv})
	for _, c := range root.Commands() {
		page := filepath.Join(dir, "man", "rampload-"+c.Name()+".1")
		if _, err := os.Stat(page); c.IsAvailableCommand() && err != nil {
			t.Errorf("%s has no man page: %v", c.Name(), err)
		}
	}
	for _, name := range []string{"rampload.bash", "_rampload", "rampload.fish"} {
		text, err := os.ReadFile(filepath.Join(dir, "completions", name))
		if err != nil || !bytes.Contains(text, []byte("rampload")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"docs"}, {"image", "x"}, {"other"}} {
		if run(args) == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}
