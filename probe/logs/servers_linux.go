package logs

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Bounds of what is read of balancers.
const (
	maxBalancers = 16
	maxConfig    = 4 << 20 // bytes of one's files
)

// balancerConfigs returns what finds the configurations of the balancers that run in a
// network namespace: a named one, else that of this process. Where none runs in this
// process' own, those of containers are taken.
func balancerConfigs(netns string) func() []string {
	return func() []string {
		own := "/proc/self/ns/net"
		if netns != "" {
			own = "/run/netns/" + netns
		}
		here, err := os.Stat(own)
		if err != nil {
			return nil
		}
		var inside, elsewhere []string
		all, _ := filepath.Glob("/proc/[0-9]*/comm")
		for _, file := range all {
			comm, err := os.ReadFile(file)
			if err != nil || string(bytes.TrimSpace(comm)) != "haproxy" {
				continue
			}
			dir := filepath.Dir(file)
			there, err := os.Stat(dir + "/ns/net")
			if err != nil {
				continue
			}
			to := &elsewhere
			if os.SameFile(here, there) {
				to = &inside
			}
			// Master and workers have the same.
			if text := haproxyConfig(dir); text != "" && len(*to) < maxBalancers && !slices.Contains(*to, text) {
				*to = append(*to, text)
			}
		}
		if len(inside) == 0 && netns == "" {
			return elsewhere
		}
		return inside
	}
}

// haproxyConfig reads the configuration that a process was started with, of its directory
// in /proc: the files and folders after -f and after --, below its own root.
func haproxyConfig(dir string) string {
	data, err := os.ReadFile(dir + "/cmdline")
	if err != nil {
		return ""
	}
	cwd, _ := os.Readlink(dir + "/cwd") // the root, where it cannot be read
	args := strings.Split(strings.TrimRight(string(data), "\x00"), "\x00")
	var paths []string
	for i := 1; i < len(args); i++ {
		switch {
		case args[i] == "-f" && i+1 < len(args):
			i++
			paths = append(paths, args[i])
		case args[i] == "-C" && i+1 < len(args):
			i++
			cwd = args[i]
		case args[i] == "--":
			paths = append(paths, args[i+1:]...)
			i = len(args)
		}
	}
	var text strings.Builder
	for _, path := range paths {
		if !filepath.IsAbs(path) {
			path = filepath.Join("/", cwd, path)
		}
		path = filepath.Join(dir, "root", path)
		files := []string{path}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			files, _ = filepath.Glob(path + "/*.cfg")
		}
		for _, name := range files {
			f, err := os.Open(name)
			if err != nil {
				continue
			}
			if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
				_, _ = io.Copy(&text, io.LimitReader(f, int64(maxConfig-text.Len())))
				fmt.Fprintln(&text)
			}
			f.Close()
		}
	}
	return text.String()
}
