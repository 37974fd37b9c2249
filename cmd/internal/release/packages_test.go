package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rampload/rampload/cmd/internal/cli/fleetcmd"
)

// TestPackages builds deb and rpm as a release does, of a program that is a stand-in:
// both hold the unit of the agent, where systemd looks for it, and the man pages.
func TestPackages(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the packager")
	}
	dir := t.TempDir()
	if err := run([]string{"docs", dir}); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"rampload": "a program", "LICENSE": "a license", "man/rampload.1.gz": "a page"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, format := range []string{"deb", "rpm"} {
		out := filepath.Join(dir, "rampload."+format)
		cmd := exec.Command("go", "tool", "-modfile=.release.mod", "nfpm", "package", "-f", ".ci/nfpm.yaml", "-p", format, "-t", out)
		cmd.Dir = "../../.."
		cmd.Env = append(os.Environ(), "DIR="+dir, "ARCH=amd64", "NUMBER=1.2.3")
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		raw, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		files := unpacked(raw)
		for _, want := range []string{"/usr/lib/systemd/system/rampload-agent.service", "/usr/share/man/man1/rampload.1.gz", fleetcmd.PackagedUnit()} {
			if !bytes.Contains(files, []byte(want)) {
				t.Errorf("%s does not hold %q", format, want)
			}
		}
		if bytes.Contains(files, []byte("multi-user.target.wants")) {
			t.Errorf("%s enables the agent, which has no server to connect to", format)
		}
	}
}

// unpacked returns what the compressed parts of a package hold, one after the other: an
// archive of tar or cpio each, in which files and their names stand as they are.
func unpacked(raw []byte) []byte {
	var all []byte
	for rest := raw; ; {
		i := bytes.Index(rest, []byte{0x1f, 0x8b, 0x08})
		if i < 0 {
			return all
		}
		rest = rest[i+1:]
		if r, err := gzip.NewReader(bufio.NewReader(bytes.NewReader(raw[len(raw)-len(rest)-1:]))); err == nil {
			r.Multistream(false)
			part, _ := io.ReadAll(r) // three bytes by chance are no archive
			all = append(all, part...)
		}
	}
}

// TestManPagesAreOfTheCommit: their date is the one that a release gives them.
func TestManPagesAreOfTheCommit(t *testing.T) {
	commit := time.Date(2031, time.March, 15, 12, 0, 0, 0, time.UTC)
	t.Setenv("SOURCE_DATE_EPOCH", strconv.FormatInt(commit.Unix(), 10))
	dir := t.TempDir()
	if err := run([]string{"docs", dir}); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "man", "rampload-run.1"))
	if err != nil || !bytes.Contains(page, []byte(`"Mar 2031"`)) {
		t.Errorf("%v: %.200s", err, page)
	}
}
