package kernels

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Debian is a place to get kernels from: the archives of Debian's suites, read with
// apt's own tools beside this machine's configuration, which stays as it is.
type Debian struct{ dir string }

// suites have kernels of different ages. One that the mirror has not any more is
// left out.
func suites() []string {
	return []string{
		"http://deb.debian.org/debian bullseye", "http://deb.debian.org/debian-security bullseye-security",
		"http://deb.debian.org/debian bookworm", "http://deb.debian.org/debian-security bookworm-security",
		"http://deb.debian.org/debian bookworm-backports", "http://deb.debian.org/debian trixie",
		"http://deb.debian.org/debian-security trixie-security", "http://deb.debian.org/debian trixie-backports",
		"http://deb.debian.org/debian sid",
	}
}

// OpenDebian reads the lists of packages; what is fetched stays in dir.
func OpenDebian(ctx context.Context, dir string) (*Debian, error) {
	d := &Debian{dir}
	for _, sub := range []string{"lists/partial", "cache/archives/partial", "unpacked"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, fmt.Errorf("make directory of kernels: %w", err)
		}
	}
	var sources strings.Builder
	for _, s := range suites() {
		fmt.Fprintf(&sources, "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s main\n", s)
	}
	if err := os.WriteFile(filepath.Join(dir, "sources.list"), []byte(sources.String()), 0o644); err != nil {
		return nil, fmt.Errorf("write sources of kernels: %w", err)
	}
	// A suite that is gone is an error of the whole, and the others are read.
	out, err := d.apt(ctx, "apt-get", "update", "-qq")
	if list, _ := d.apt(ctx, "apt-cache", "search", "-n", "^linux-image-"); len(list) == 0 {
		return nil, fmt.Errorf("read lists of packages: %w\n%s", err, out)
	}
	return d, nil
}

func (d *Debian) apt(ctx context.Context, tool string, args ...string) ([]byte, error) {
	all := append([]string{
		"-o", "Dir::Etc::sourcelist=" + filepath.Join(d.dir, "sources.list"), "-o", "Dir::Etc::sourceparts=/nonexistent",
		"-o", "Dir::State::lists=" + filepath.Join(d.dir, "lists"), "-o", "Dir::Cache=" + filepath.Join(d.dir, "cache"),
		"-o", "APT::Sandbox::User=root",
	}, args...)
	cmd := exec.CommandContext(ctx, tool, all...)
	cmd.Dir = filepath.Join(d.dir, "cache")
	return cmd.Output()
}

// Newest returns the newest version that begins with a release, "6.1", of the kernel
// for virtual machines; empty: Debian has none.
func (d *Debian) Newest(ctx context.Context, release string) string {
	out, err := d.apt(ctx, "apt-cache", "search", "-n", `^linux-image-`+strings.ReplaceAll(release, ".", `\.`)+`\.[0-9].*-cloud-amd64$`)
	if err != nil {
		return ""
	}
	best := ""
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(line, " ")
		version := strings.TrimSuffix(strings.TrimPrefix(name, "linux-image-"), "-cloud-amd64")
		if best == "" || compareVersions(version, best) > 0 {
			best = version
		}
	}
	return best
}

// compareVersions compares the numbers in two versions.
func compareVersions(a, b string) int {
	numbers := func(s string) (list []int) {
		for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' }) {
			n, _ := strconv.Atoi(f)
			list = append(list, n)
		}
		return list
	}
	return cmp.Or(slices.Compare(numbers(a), numbers(b)), cmp.Compare(a, b))
}

// Get downloads and unpacks a version, and returns the files of a [Machine].
func (d *Debian) Get(ctx context.Context, version string) (kernel, modules string, err error) {
	name := version + "-cloud-amd64"
	root := filepath.Join(d.dir, "unpacked", name)
	if _, err := os.Stat(root); err != nil {
		packages := []string{"linux-image-" + name}
		// Since Linux 7 the kernel and its modules are packages of their own.
		if out, _ := d.apt(ctx, "apt-cache", "search", "-n", "^linux-binary-"+strings.ReplaceAll(name, "+", `\+`)+"$"); len(bytes.TrimSpace(out)) > 0 {
			packages = []string{"linux-binary-" + name, "linux-modules-" + name}
		}
		for _, p := range packages {
			if _, err := d.apt(ctx, "apt-get", "download", "-qq", p); err != nil {
				return "", "", fmt.Errorf("download %s: %w", p, err)
			}
			found, _ := filepath.Glob(filepath.Join(d.dir, "cache", p+"_*.deb"))
			if len(found) == 0 {
				return "", "", fmt.Errorf("download %s: no file came", p)
			}
			if out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", found[0], root).CombinedOutput(); err != nil {
				return "", "", fmt.Errorf("unpack %s: %w\n%s", p, err, out)
			}
		}
	}
	for _, base := range []string{root, filepath.Join(root, "usr")} {
		tree := filepath.Join(base, "lib/modules", name)
		if _, err := os.Stat(tree); err != nil {
			continue
		}
		for _, k := range []string{filepath.Join(root, "boot", "vmlinuz-"+name), filepath.Join(tree, "vmlinuz")} {
			if _, err := os.Stat(k); err == nil {
				return k, tree, nil
			}
		}
	}
	return "", "", fmt.Errorf("find the kernel of %s: none in %s", version, root)
}
