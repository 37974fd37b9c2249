package reach

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/rampload/rampload/profiles"
)

// remoteAgent is the command of an agent that is installed on its host.
const remoteAgent = "rampload agent --stdio"

// Agent connects to the agent of a host as its profile says, over the user's own
// ssh or the user's own command. It installs nothing that was not asked for.
func Agent(ctx context.Context, h profiles.Host) (*Process, error) {
	switch {
	case len(h.Agent.Command) > 0:
		return Start(ctx, h.Agent.Command)
	case h.Agent.SSH == "":
		return nil, fmt.Errorf("the agent %s is reached over the bus, and not over ssh", h.AgentName())
	}
	argv, err := sshArgs(h)
	if err != nil {
		return nil, err
	}
	command := remoteAgent
	if h.Agent.Install {
		if command, err = install(ctx, argv); err != nil {
			return nil, err
		}
	}
	return Start(ctx, append(argv, command))
}

// sshArgs is ssh with the address of a host. Everything else, as keys and jump hosts,
// is in the user's own configuration. Nobody is there to answer questions, and a line
// that is dead is noticed.
func sshArgs(h profiles.Host) ([]string, error) {
	argv := []string{"ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=3", "-o", "ServerAliveCountMax=3"}
	name := h.Name
	if h.Agent.SSH != "ssh" {
		u, err := url.Parse(h.Agent.SSH)
		if err != nil {
			return nil, fmt.Errorf("parse address for ssh: %w", err)
		}
		name = u.Hostname()
		if user := u.User.Username(); user != "" {
			argv = append(argv, "-l", user)
		}
		if port := u.Port(); port != "" {
			argv = append(argv, "-p", port)
		}
	}
	return append(argv, "--", name), nil
}

// install copies this rampload to a host, unless it is there, and returns the command
// that starts it. The name of the file is the hash of its content, which is checked
// before every start: a file that somebody else put there is not executed.
func install(ctx context.Context, ssh []string) (command string, err error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this rampload: %w", err)
	}
	self, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read this rampload: %w", err)
	}
	sum := sha256.Sum256(self)
	hash := hex.EncodeToString(sum[:])
	file := `f="${TMPDIR:-/tmp}/rampload-$(id -u)-` + hash[:16] + `"; `
	sound := `test ! -L "$f" && test -O "$f" && echo "` + hash + `  $f" | sha256sum -c --status - 2>/dev/null`
	run := "sh -c '" + file + sound + ` || { echo "the copy of rampload there was changed" >&2; exit 1; }; exec "$f" agent --stdio'`

	there, err := output(ctx, ssh, "sh -c 'uname -s; uname -m; "+file+sound+" && echo there; true'", nil)
	if err != nil {
		return "", err
	}
	words := strings.Fields(there)
	if len(words) < 2 {
		return "", fmt.Errorf("install rampload: ssh answers %q, and not the name of a system", there)
	}
	if got := platform(words[0], words[1]); got != runtime.GOOS+"/"+runtime.GOARCH {
		return "", fmt.Errorf("install rampload: this one is for %s/%s, and the host is %s: install one there that fits, and leave install out", runtime.GOOS, runtime.GOARCH, got)
	}
	if len(words) == 3 && words[2] == "there" {
		return run, nil
	}
	copied := "sh -c '" + file + `umask 077; t="$f.$$"; rm -f "$t"; cat > "$t" && chmod 700 "$t" && mv -f "$t" "$f"'`
	if _, err := output(ctx, ssh, copied, bytes.NewReader(self)); err != nil {
		return "", fmt.Errorf("copy rampload: %w", err)
	}
	return run, nil
}

// platform is Go's name of what uname says.
func platform(system, machine string) string {
	arch, known := map[string]string{
		"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "i686": "386", "i386": "386",
		"armv7l": "arm", "armv6l": "arm", "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64",
	}[machine]
	if !known {
		arch = machine
	}
	return strings.ToLower(system) + "/" + arch
}

// output runs a command on the host and returns what it prints.
func output(ctx context.Context, ssh []string, command string, in io.Reader) (string, error) {
	var said lastWords
	cmd := exec.CommandContext(ctx, ssh[0], append(ssh[1:len(ssh):len(ssh)], command)...)
	cmd.Stdin, cmd.Stderr = in, &said
	out, err := cmd.Output()
	if err != nil {
		if text := said.String(); text != "" {
			return "", fmt.Errorf("ssh: %s", strings.TrimPrefix(text, "ssh: "))
		}
		return "", fmt.Errorf("ssh: %w", err)
	}
	return string(out), nil
}
