package protocol

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
)

const (
	// packFrom is how long an order is that is packed: one with a table of data, or a file
	// of targets, is longer than a message may be.
	packFrom = 1 << 20
	// mostUnpacked bounds what an order may unpack to.
	mostUnpacked = 256 << 20
)

// Pack makes an order as short as it goes, where it is long. Short ones stay as they are.
func Pack(order []byte) []byte {
	if len(order) < packFrom {
		return order
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(order) // a Buffer takes everything
	_ = z.Close()
	return out.Bytes()
}

// unpack is the inverse of Pack, to so many bytes at most.
func unpack(data []byte, most int64) ([]byte, error) {
	if !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) { // JSON begins with none of these
		return data, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("unpack order: %w", err)
	}
	out, err := io.ReadAll(io.LimitReader(z, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("unpack order: %w", err)
	case int64(len(out)) > most:
		return nil, fmt.Errorf("unpack order: it has more than %d MB", most>>20)
	}
	return out, nil
}
