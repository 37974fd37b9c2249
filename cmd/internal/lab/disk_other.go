//go:build !linux

package lab

// Disk is a small file system of its own that can stand still.
type Disk struct{ Dir string }

// Disk needs Linux.
func (*Machine) Disk(int) (*Disk, error) { return nil, ErrLinuxOnly }

// Freeze needs Linux.
func (d *Disk) Freeze() error { return ErrLinuxOnly }

// Thaw needs Linux.
func (d *Disk) Thaw() error { return ErrLinuxOnly }
