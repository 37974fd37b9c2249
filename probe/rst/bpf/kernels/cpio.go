package kernels

import (
	"fmt"
	"io"
	"io/fs"
)

// archive writes an initial file system in the "newc" format of cpio
// (Documentation/driver-api/early-userspace/buffer-format.rst in Linux).
type archive struct {
	w     io.Writer
	inode int
	made  map[string]bool
	err   error
}

func newArchive(w io.Writer) *archive { return &archive{w: w, made: map[string]bool{}} }

// The kinds of entries (S_IFMT in stat(2)).
const (
	kindDir  = 0o040000
	kindFile = 0o100000
	kindLink = 0o120000
)

// file adds a file; missing parents are made.
func (a *archive) file(path string, mode fs.FileMode, data []byte) {
	a.entry(path, kindFile|int(mode.Perm()), data)
}

// link adds a symbolic link.
func (a *archive) link(path, target string) { a.entry(path, kindLink|0o777, []byte(target)) }

// dir adds a directory; missing parents are made.
func (a *archive) dir(path string) { a.entry(path, kindDir|0o755, nil) }

func (a *archive) entry(path string, mode int, data []byte) {
	for i := range path { // parents
		if i > 0 && path[i] == '/' && !a.made[path[:i]] {
			a.made[path[:i]] = true
			a.record(path[:i], kindDir|0o755, nil)
		}
	}
	if !a.made[path] {
		a.made[path] = true
		a.record(path, mode, data)
	}
}

func (a *archive) record(path string, mode int, data []byte) {
	if len(path) > 1 && path[0] == '/' {
		path = path[1:]
	}
	a.inode++
	// Magic, inode, mode, uid, gid, links, mtime, size, device (2), special device
	// (2), length of the name, check sum.
	a.print(fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path)+1, 0, path))
	a.pad(110 + len(path) + 1)
	a.print(string(data))
	a.pad(len(data))
}

func (a *archive) pad(n int) { a.print("\x00\x00\x00"[:(4-n%4)%4]) }

func (a *archive) print(s string) {
	if a.err == nil {
		_, a.err = io.WriteString(a.w, s)
	}
}

// close ends the archive.
func (a *archive) close() error {
	a.record("TRAILER!!!", 0, nil)
	return a.err
}
