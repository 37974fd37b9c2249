package waiting

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe/internal/procfs"
)

// maxReaders is how many threads of the services of a namespace one reading looks at. The threads
// beyond that are taken to do what the others do.
const maxReaders = 128

// countIncomplete counts the requests of each service that have come in only in part. All data of
// their connection was read, and either a thread sleeps to read more from it, or data went on coming
// in pieces. Sockets alone do not tell such a request from one that the service works on.
func (s *Sampler) countIncomplete() {
	var asked []*service
	for _, x := range s.tally.services {
		if x.open && len(x.begun)+len(x.coming) > 0 {
			asked = append(asked, x)
		}
	}
	for _, x := range asked {
		in := make(map[uint32]bool, len(x.coming))
		for _, inode := range x.coming {
			in[inode] = true
		}
		begun := make(map[uint32]bool, len(x.begun))
		for _, inode := range x.begun {
			begun[inode] = true
		}
		left := max(1, maxReaders/len(asked))
		waiting, threads, looked, pids := 0, 0, 0, 0
		for _, pid := range x.owner.pids {
			if left <= 0 {
				break
			}
			inodes, all := readsFrom(pid, left)
			pids, threads, looked = pids+1, threads+all, looked+min(all, left)
			left -= min(all, left)
			for _, inode := range inodes {
				if begun[inode] && !in[inode] {
					in[inode] = true
					waiting++
				}
			}
		}
		x.incomplete = float64(len(in)) + unseen(waiting, looked, threads, pids, len(x.owner.pids))
	}
}

// unseen estimates how many incomplete requests belong to threads that were not looked at, from the
// share among the threads that were.
func unseen(waiting, looked, threads, pids, all int) float64 {
	if looked == 0 || pids == 0 {
		return 0
	}
	every := float64(threads) * float64(all) / float64(pids)
	return float64(waiting) * (every/float64(looked) - 1)
}

// readsFrom returns the inodes of the sockets that threads of a process sleep to read from, and how many
// threads the process has. It looks at the first most of them.
func readsFrom(pid int32, most int) (out []uint32, threads int) {
	dir := filepath.Join("/proc", strconv.Itoa(int(pid)))
	tasks, err := os.Open(filepath.Join(dir, "task"))
	if err != nil {
		return nil, 0
	}
	defer tasks.Close()
	names, _ := tasks.Readdirnames(-1)
	var link [64]byte
	for _, tid := range names[:min(len(names), most)] {
		task := filepath.Join(dir, "task", tid)
		call, err := os.ReadFile(filepath.Join(task, "syscall"))
		if err != nil {
			continue // the thread ended, or may not be read
		}
		fd, ok := readCall(call, func(at uint64) ([]byte, bool) { return peek(task, at) })
		if !ok || !sleeps(task) {
			continue
		}
		n, err := unix.Readlink(filepath.Join(dir, "fd", strconv.Itoa(fd)), link[:])
		if err != nil {
			continue
		}
		if inode, ok := socketInode(link[:n]); ok {
			out = append(out, inode)
		}
	}
	return out, len(names)
}

// pollInput is POLLIN of poll(2).
const pollInput = 1

// readCall returns the descriptor that a thread waits to read from, by /proc/PID/task/TID/syscall: the
// number of the system call and its arguments. Waiting for input on a single descriptor counts as
// reading from it. at reads a struct pollfd in the thread's memory.
func readCall(b []byte, at func(address uint64) ([]byte, bool)) (fd int, ok bool) {
	fields := bytes.Fields(b)
	if len(fields) < 3 {
		return 0, false // the thread runs
	}
	number, err := strconv.Atoi(string(fields[0]))
	if err != nil {
		return 0, false
	}
	argument := func(i int) uint64 {
		n, _ := strconv.ParseUint(string(bytes.TrimPrefix(fields[i], []byte("0x"))), 16, 64)
		return n
	}
	switch {
	case reads(number):
		return int(int32(argument(1))), true
	case polls(number) && argument(2) == 1:
		p, ok := at(argument(1))
		if !ok || len(p) < 8 || binary.NativeEndian.Uint16(p[4:])&pollInput == 0 {
			return 0, false
		}
		return int(int32(binary.NativeEndian.Uint32(p))), true
	}
	return 0, false
}

// reads reports whether a call reads from the descriptor that is its first argument.
func reads(number int) bool {
	switch number {
	case unix.SYS_READ, unix.SYS_READV, unix.SYS_RECVFROM, unix.SYS_RECVMSG:
		return true
	}
	return false
}

// peek reads the struct pollfd that a thread waits with.
func peek(task string, at uint64) ([]byte, bool) {
	if at == 0 || at > 1<<62 {
		return nil, false
	}
	f, err := os.Open(filepath.Join(task, "mem"))
	if err != nil {
		return nil, false
	}
	defer f.Close()
	b := make([]byte, 8)
	_, err = f.ReadAt(b, int64(at))
	return b, err == nil
}

// sleeps reports whether a thread sleeps, and is not stopped by a signal.
func sleeps(task string) bool {
	b, err := os.ReadFile(filepath.Join(task, "stat"))
	if err != nil {
		return false
	}
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return false
	}
	state, _ := procfs.Field(b[i+1:])
	return len(state) == 1 && state[0] == 'S'
}
