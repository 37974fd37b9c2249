// Release makes the parts of a release that need the program's own code: man pages,
// completions, the systemd unit, and the container image. It is run by .ci/release, for people who
// package rampload; it is not installed.
//
//	release docs DIR                      man pages, completions, systemd unit
//	release image BINARY ARCH TAG OUT     an image as a tarball, without a daemon
package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rampload/rampload/cmd/internal/cli"
	"github.com/rampload/rampload/cmd/internal/console"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(2)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "docs":
		return writeDocs(cli.Command(console.Env{
			Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard,
			LookupEnv: func(string) (string, bool) { return "", false },
		}), args[1])
	case len(args) == 5 && args[0] == "image":
		return writeImage(args[1], args[2], args[3], args[4])
	}
	return fmt.Errorf("write: release docs DIR, or release image BINARY ARCH TAG OUT")
}
