package message

import (
	"fmt"
	"io"
	"os"
)

// maxBody bounds a body file: each request that is in flight reads from one copy in
// memory.
const maxBody = 1 << 30

// readBody reads a body file: never a device or a pipe, which may have no end.
func readBody(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("open %s: it is no regular file: write the body to one", name)
	case info.Size() > maxBody:
		return nil, fmt.Errorf("open %s: %d bytes are more than the 1 GiB that a body may have", name, info.Size())
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, maxBody+1))
	if err == nil && len(body) > maxBody { // it has grown
		err = fmt.Errorf("read %s: more than the 1 GiB that a body may have", name)
	}
	return body, err
}
