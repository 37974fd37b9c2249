package spool

import (
	"bytes"
	"errors"
	"io"

	"github.com/rampload/rampload/report/runlog"
)

// Pieces puts the record of a part together, in whatever pieces and order it comes,
// also twice. The zero value
// is an empty record.
type Pieces struct {
	next    int64 // bytes so far
	early   map[int64][]byte
	tail    []byte // what is no whole record yet
	source  bytes.Buffer
	reader  *runlog.Reader
	damaged error
}

// Add takes a piece and returns the records that are whole with it. After damage there
// are none.
func (p *Pieces) Add(offset int64, data []byte) ([]runlog.Record, error) {
	if p.damaged != nil {
		return nil, nil
	}
	if offset > p.next {
		if p.early == nil {
			p.early = map[int64][]byte{}
		}
		if len(p.early[offset]) < len(data) {
			p.early[offset] = data
		}
		return nil, nil
	}
	p.append(offset, data)
	for found := true; found; {
		found = false
		for at, waiting := range p.early {
			if at <= p.next {
				delete(p.early, at)
				p.append(at, waiting)
				found = true
			}
		}
	}
	return p.records()
}

func (p *Pieces) append(offset int64, data []byte) {
	if known := p.next - offset; known < int64(len(data)) {
		p.tail = append(p.tail, data[known:]...)
		p.next += int64(len(data)) - known
	}
}

func (p *Pieces) records() (out []runlog.Record, err error) {
	n := runlog.Whole(p.tail, p.reader == nil)
	if n == 0 {
		return nil, nil
	}
	p.source.Write(p.tail[:n])
	p.tail = append(p.tail[:0], p.tail[n:]...)
	if p.reader == nil {
		if p.reader, err = runlog.NewReader(&p.source); err != nil {
			p.damaged = err
			return nil, err
		}
	}
	for {
		r, err := p.reader.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			p.damaged = err
			return out, err
		}
		out = append(out, r)
	}
}
