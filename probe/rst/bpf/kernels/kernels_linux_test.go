package kernels

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	kernelsDir = flag.String("kernels", "", "boot kernels, and keep what is downloaded in this directory")
	releases   = flag.String("releases", "5.4 5.10 5.15 6.1 6.6 6.12 7.3", "which ones")
	table      = flag.String("table", "", "write the result into this file")
)

// tests are those that run in each machine: where a test is of what only some
// kernels can tell, it says so itself.
const tests = "Open|ResetHere|Rights|Netfilter|AcceptQueue|Waits|Vanish|Killed|Ring"

// scenarios are what the trace as a whole must tell of: resets, and what vanished.
const scenarios = "TestLiveSocketAborted/programs|TestLiveClosedPort/programs|TestDrops"

// TestKernels boots each kernel that Debian has, and runs the programs' tests there.
func TestKernels(t *testing.T) {
	if *kernelsDir == "" {
		t.Skip("runs with -kernels DIR: `make kernels`")
	}
	debian, err := OpenDebian(t.Context(), *kernelsDir)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	build := func(to string, args ...string) string {
		path := filepath.Join(dir, to)
		cmd := exec.Command("go", append(args[:1:1], append([]string{"-o", path}, args[1:]...)...)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
		return path
	}
	guest := build("guest", "build", "./guest")
	programs := map[string]string{
		"/t/bpf.test":   build("bpf.test", "test", "-c", ".."),
		"/t/rst.test":   build("rst.test", "test", "-c", "../.."),
		"/bin/rampload": build("rampload", "build", "../../../../cmd/rampload"),
	}
	rows := map[string]row{}
	for _, release := range strings.Fields(*releases) {
		t.Run(release, func(t *testing.T) {
			rows[release] = row{state: "not to be had from Debian any more: not booted"}
			version := debian.Newest(t.Context(), release)
			if version == "" {
				t.Skip(rows[release].state)
			}
			kernel, modules, err := debian.Get(t.Context(), version)
			if err != nil {
				t.Fatal(err)
			}
			started := time.Now()
			console, err := os.Create(filepath.Join(*kernelsDir, "output-"+release))
			if err != nil {
				t.Fatal(err)
			}
			defer console.Close()
			r, err := Boot(t.Context(), t.TempDir(), Machine{
				Kernel: kernel, Modules: modules, Init: guest, Programs: programs,
				Tools:    []string{"nft", "iptables-legacy", "ip", "conntrack", "tc", "nsenter", "sysctl"},
				Files:    []string{"/usr/lib/x86_64-linux-gnu/xtables", "/etc/protocols"},
				Commands: []string{"/t/bpf.test -test.v -test.timeout=15m -test.run=" + tests, "/t/rst.test -test.v -test.timeout=30m -test.run=" + scenarios, demo},
				Console:  console,
			})
			if err != nil {
				t.Fatalf("%v\n%s", err, r.Output)
			}
			rows[release] = read(version, r)
			for _, f := range rows[release].failed {
				t.Errorf("%s failed:\n%s", f, r.Output)
			}
			t.Logf("%+v in %v", rows[release], time.Since(started).Round(time.Second))
		})
	}
	if *table != "" {
		write(t, rows)
	}
}

// demo is the demonstration's scenario, short.
const demo = "rampload demo descriptors --shorten 4 --quiet --out /tmp/demo.json"

// row is what a kernel's machine told.
type row struct {
	version         string
	state           string // why there is nothing; else empty
	passed, skipped []string
	failed          []string
	missing         []string
	demo            string
}

var outcome = regexp.MustCompile(`(?m)^--- (PASS|FAIL|SKIP): (\S+)`)

func read(version string, r Result) row {
	one := row{version: version}
	for command, out := range r.Outputs {
		if strings.HasPrefix(command, "rampload") {
			one.demo = demoLine(out)
			continue
		}
		for _, m := range outcome.FindAllStringSubmatch(out, -1) {
			switch m[1] {
			case "PASS":
				one.passed = append(one.passed, m[2])
			case "FAIL":
				one.failed = append(one.failed, m[2])
			case "SKIP":
				one.skipped = append(one.skipped, m[2])
			}
		}
		for _, m := range regexp.MustCompile(`live_linux_test.go:\d+: (.* not measured: .*)`).FindAllStringSubmatch(out, -1) {
			if !slices.Contains(one.missing, m[1]) {
				one.missing = append(one.missing, m[1])
			}
		}
		if len(one.passed)+len(one.failed)+len(one.skipped) == 0 {
			one.failed = append(one.failed, command)
		}
	}
	return one
}

// demoLine is what the demonstration says of the resets, and whether it reached its
// verdict.
func demoLine(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "expected ") || strings.HasPrefix(line, "reached ") || strings.HasPrefix(line, "resets sent ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

func write(t *testing.T, rows map[string]row) {
	var b bytes.Buffer
	for _, release := range strings.Fields(*releases) {
		r := rows[release]
		if r.state != "" {
			fmt.Fprintf(&b, "| %s | %s | | | |\n", release, r.state)
			continue
		}
		missing := "nothing"
		if len(r.missing) > 0 {
			missing = strings.Join(r.missing, "; ")
		}
		tests := fmt.Sprintf("%d passed", len(r.passed))
		if len(r.skipped) > 0 {
			tests += fmt.Sprintf(", %d skipped", len(r.skipped))
		}
		if len(r.failed) > 0 {
			tests += ", failed: " + strings.Join(r.failed, ", ")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", release, r.version, tests, missing, r.demo)
	}
	old, err := os.ReadFile(*table)
	if err != nil {
		t.Fatal(err)
	}
	const head = "|---|---|---|---|---|\n"
	before, _, ok := bytes.Cut(old, []byte(head))
	if !ok {
		t.Fatalf("%s has no table", *table)
	}
	if err := os.WriteFile(*table, slices.Concat(before, []byte(head), b.Bytes()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// An archive is what cpio reads.
func TestArchive(t *testing.T) {
	cpio, err := exec.LookPath("cpio")
	if err != nil {
		t.Skip("needs cpio")
	}
	var b bytes.Buffer
	a := newArchive(&b)
	a.file("/init", 0o755, []byte("12345"))
	a.file("/a/b/c", 0o644, nil)
	a.link("/l", "a/b")
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(cpio, "-itv")
	cmd.Stdin = &b
	out, err := cmd.Output()
	for _, want := range []string{`-rwxr-xr-x .* 5 .* init`, `drwxr-xr-x .* a/b`, `-rw-r--r-- .* 0 .* a/b/c`, `lrwxrwxrwx .* l -> a/b`} {
		if err != nil || !regexp.MustCompile(want).Match(out) {
			t.Errorf("%v, no %s in\n%s", err, want, out)
		}
	}
}

func TestVersions(t *testing.T) {
	list := []string{"6.12.9+deb13", "6.1.0-57", "6.12.118+deb13", "5.10.0-46"}
	slices.SortFunc(list, compareVersions)
	if want := []string{"5.10.0-46", "6.1.0-57", "6.12.9+deb13", "6.12.118+deb13"}; !slices.Equal(list, want) {
		t.Errorf("%v, want %v", list, want)
	}
}

func TestDepends(t *testing.T) {
	if got := depends([]byte("\x00license=GPL\x00depends=x_tables,nf_conntrack\x00retpoline=Y\x00")); !slices.Equal(got, []string{"x_tables", "nf_conntrack"}) {
		t.Errorf("%q", got)
	}
	if got := depends([]byte("\x00depends=\x00")); len(got) != 0 {
		t.Errorf("%q", got)
	}
	if moduleName("/lib/net/nf-tables.ko.xz") != "nf_tables" {
		t.Error(moduleName("/lib/net/nf-tables.ko.xz"))
	}
}
