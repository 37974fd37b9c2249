package logs

import "sync"

// Claims says who follows which file, so that a file that the processes of several
// watchers print into is read by one of them. The zero value is ready to use; it is safe
// for concurrent use.
type Claims struct {
	mu sync.Mutex
	by map[fileID]*Written
}

// fileID is a file, whatever it is called.
type fileID struct{ device, inode uint64 }

// take reports whether a file is a watcher's now: nobody else follows it. A nil Claims
// gives everything to everybody.
func (c *Claims) take(id fileID, w *Written) bool {
	if c == nil {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if owner := c.by[id]; owner != nil {
		return owner == w
	}
	if c.by == nil {
		c.by = map[fileID]*Written{}
	}
	c.by[id] = w
	return true
}

// leave gives a file up.
func (c *Claims) leave(id fileID, w *Written) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[id] == w {
		delete(c.by, id)
	}
}
