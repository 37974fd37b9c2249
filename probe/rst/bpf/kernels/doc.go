// Package kernels boots the kernels of Linux distributions in virtual machines and
// runs the tests of the kernel's programs there: `make kernels`. A machine has no
// network and no disk, only a small initial file system of test programs, kernel
// modules and the tools that the tests use. The result is KERNELS.md beside the
// programs.
//
// It is no part of rampload: only tests import it.
package kernels
