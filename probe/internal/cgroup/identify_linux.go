package cgroup

import (
	"io/fs"
	"path"
	"path/filepath"
	"syscall"
)

// Identify visits the cgroups of the version 2 tree with the kernel's id of each,
// which is the inode of its directory (cgroup_id in include/linux/cgroup.h).
func (m Mounts) Identify(visit func(id uint64, p Paths)) {
	for _, mt := range m.list {
		if mt.version != 2 {
			continue
		}
		_ = filepath.WalkDir(mt.dir, func(at string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return nil
			}
			rel, err := filepath.Rel(mt.dir, at)
			if st, ok := info.Sys().(*syscall.Stat_t); ok && err == nil {
				visit(st.Ino, Paths{unified: path.Join(mt.top, rel)})
			}
			return nil
		})
	}
}
