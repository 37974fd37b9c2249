package kernels

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// Guest is what the first process of a virtual machine does: it mounts what the
// tests expect, loads the modules, runs the commands and ends the machine. The
// commands print to out. It does not return.
func Guest(out io.Writer) {
	_ = os.Setenv("PATH", "/bin")
	_ = os.Setenv("RAMPLOAD_OWN_KERNEL", "1") // tests may change the whole machine
	for _, m := range [][4]string{
		{"proc", "/proc", "proc", ""},
		{"sysfs", "/sys", "sysfs", ""},
		{"devtmpfs", "/dev", "devtmpfs", ""},
		{"tmpfs", "/tmp", "tmpfs", ""},
		{"tmpfs", "/run", "tmpfs", ""},
		{"cgroup2", "/sys/fs/cgroup", "cgroup2", ""},
		{"tracefs", "/sys/kernel/tracing", "tracefs", ""},
		{"bpf", "/sys/fs/bpf", "bpf", ""},
	} {
		_ = os.MkdirAll(m[1], 0o755)
		if err := unix.Mount(m[0], m[1], m[2], 0, m[3]); err != nil {
			fmt.Println("mount", m[1]+":", err)
		}
	}
	_ = os.Chmod("/tmp", 0o1777)
	_ = os.WriteFile("/proc/sys/kernel/printk", []byte("3"), 0o600)
	lines(modulesFile, func(name string) {
		f, err := os.Open("/modules/" + name)
		if err == nil {
			err = unix.FinitModule(int(f.Fd()), "", 0)
			f.Close()
		}
		if err != nil {
			fmt.Println("load module", name+":", err)
		}
	})
	for _, setting := range []string{"/proc/sys/net/ipv4/conf/all/rp_filter", "/proc/sys/net/ipv4/conf/default/rp_filter"} {
		_ = os.WriteFile(setting, []byte("0"), 0o600)
	}
	_ = exec.Command("ip", "link", "set", "lo", "up").Run()
	lines(commandsFile, func(line string) {
		fmt.Println(startMark + line)
		words := strings.Fields(line)
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Stdout, cmd.Stderr = out, out
		err := cmd.Run()
		fmt.Println(endMark, cmd.ProcessState.ExitCode(), err)
	})
	fmt.Println(lastMark)
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	select {}
}

func lines(path string, visit func(string)) {
	f, err := os.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if s.Text() != "" {
			visit(s.Text())
		}
	}
}
