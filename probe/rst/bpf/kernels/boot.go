package kernels

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Files of the initial file system by which host and guest agree.
const (
	modulesFile  = "/modules/order" // one module a line
	commandsFile = "/commands"      // one command a line, words by spaces
	startMark    = "=== command "   // before a command's output
	endMark      = "=== exit "      // after it, with the exit status
	lastMark     = "=== the machine ends"
)

// Machine is a virtual machine to boot.
type Machine struct {
	Kernel   string            // the file of the kernel: vmlinuz
	Modules  string            // the directory of its modules; empty: none
	Init     string            // the program of package kernels/guest, static
	Programs map[string]string // static programs, by their path in the machine
	Tools    []string          // of this machine, found in PATH, with their libraries and plugins
	Files    []string          // of this machine, files or directories, at the same path
	Commands []string          // to run there, words by spaces
	Console  io.Writer         // gets what the machine prints as it does; may be nil
}

// Result is what a machine said.
type Result struct {
	Output  string            // all of it
	Outputs map[string]string // by command
	Ended   bool              // all commands ran to their end
}

// Boot builds the machine's initial file system in dir, runs it with QEMU and
// returns what its commands printed. The machine has two processors, no network and
// no disk.
func Boot(ctx context.Context, dir string, m Machine) (Result, error) {
	initrd := filepath.Join(dir, "initrd.gz")
	if err := m.pack(initrd); err != nil {
		return Result{}, err
	}
	args := []string{
		"-kernel", m.Kernel, "-initrd", initrd, "-append", "console=ttyS0 panic=-1 quiet mitigations=off rdinit=/init",
		"-m", "1536", "-smp", "2", "-nographic", "-no-reboot", "-nic", "none", "-nodefaults", "-serial", "stdio", "-monitor", "none",
	}
	out, err := m.run(ctx, args)
	r := parse(out)
	if err != nil && !r.Ended {
		return r, fmt.Errorf("run virtual machine: %w", err)
	}
	if !r.Ended {
		return r, fmt.Errorf("run virtual machine: it ended before its commands did")
	}
	return r, nil
}

// run runs QEMU and returns what the machine printed: on the processor's own virtualisation
// where that is, unless it fails on an instruction, as a virtual machine's own may, and else
// emulated.
func (m Machine) run(ctx context.Context, args []string) (string, error) {
	once := func(how ...string) (string, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		out := &console{to: m.Console, failed: cancel}
		cmd := exec.CommandContext(ctx, "qemu-system-x86_64", append(slices.Clone(args), how...)...)
		cmd.Stdout, cmd.Stderr = out, out
		err := cmd.Run()
		return out.text.String(), err
	}
	if _, err := os.Stat("/dev/kvm"); err == nil {
		out, err := once("-enable-kvm", "-cpu", "host")
		if !strings.Contains(out, notVirtual) {
			return out, err
		}
	}
	return once("-accel", "tcg,thread=multi", "-cpu", "max")
}

// notVirtual is how QEMU says that an instruction could not be run.
const notVirtual = "KVM internal error"

// console keeps what a machine prints, and ends one that stands still with an error.
type console struct {
	text   bytes.Buffer
	to     io.Writer // may be nil
	failed func()
}

func (c *console) Write(p []byte) (int, error) {
	c.text.Write(p)
	if bytes.Contains(c.text.Bytes()[max(0, c.text.Len()-len(p)-len(notVirtual)):], []byte(notVirtual)) {
		c.failed()
	}
	if c.to != nil {
		return c.to.Write(p)
	}
	return len(p), nil
}

func parse(text string) Result {
	text = strings.ReplaceAll(text, "\r", "")
	r := Result{Output: text, Outputs: map[string]string{}, Ended: strings.Contains(text, lastMark)}
	for _, part := range strings.Split(text, startMark)[1:] {
		command, rest, _ := strings.Cut(part, "\n")
		out, _, _ := strings.Cut(rest, endMark)
		r.Outputs[command] = out
	}
	return r
}

func (m Machine) pack(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("pack initial file system: %w", err)
	}
	defer f.Close()
	z, _ := gzip.NewWriterLevel(f, gzip.BestSpeed)
	a := newArchive(z)
	for _, d := range []string{"/proc", "/sys", "/dev", "/tmp", "/run", "/etc", "/var/tmp", "/root"} {
		a.dir(d)
	}
	a.file("/etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"))
	a.file("/etc/group", 0o644, []byte("root:x:0:\nnogroup:x:65534:\n"))
	add := func(to, from string, mode os.FileMode) error {
		data, err := os.ReadFile(from)
		if err != nil {
			return fmt.Errorf("pack initial file system: %w", err)
		}
		a.file(to, mode, data)
		return nil
	}
	if err := add("/init", m.Init, 0o755); err != nil {
		return err
	}
	for to, from := range m.Programs {
		if err := add(to, from, 0o755); err != nil {
			return err
		}
	}
	for _, tool := range m.Tools {
		found, err := exec.LookPath(tool)
		if err != nil {
			return fmt.Errorf("pack initial file system: %w", err)
		}
		if err := add("/bin/"+tool, found, 0o755); err != nil {
			return err
		}
		for _, l := range libraries(found) {
			if err := add(l, l, 0o755); err != nil {
				return err
			}
		}
	}
	for _, tree := range m.Files {
		err := filepath.WalkDir(tree, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			return add(path, path, 0o755)
		})
		if err != nil {
			return err
		}
	}
	if m.Modules != "" {
		list, err := modules(m.Modules, wantedModules())
		if err != nil {
			return err
		}
		var order bytes.Buffer
		for _, one := range list {
			a.file("/modules/"+one.name, 0o644, one.data)
			fmt.Fprintln(&order, one.name)
		}
		a.file(modulesFile, 0o644, order.Bytes())
	}
	a.file(commandsFile, 0o644, []byte(strings.Join(m.Commands, "\n")+"\n"))
	if err := a.close(); err != nil {
		return fmt.Errorf("pack initial file system: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("pack initial file system: %w", err)
	}
	return f.Close()
}
