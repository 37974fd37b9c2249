package attack

import (
	"fmt"

	"github.com/rampload/rampload/profiles/fields"
)

// DecodeWindow reads what [AppendWindow] wrote. Empty lists come back nil. It
// never panics and allocates in proportion to len(b).
func DecodeWindow(b []byte) (Window, error) {
	var w Window
	if err := DecodeWindowInto(&w, b); err != nil {
		return Window{}, err
	}
	return w, nil
}

// DecodeWindowInto is [DecodeWindow] into a window whose lists it overwrites and makes
// larger where they are too small: for readers of many windows. Empty lists of a new
// window stay nil. After an error the window holds nothing of use.
func DecodeWindowInto(w *Window, b []byte) error {
	*w = Window{
		Cells: w.Cells[:0], Statuses: w.Statuses[:0],
		FromDue: w.FromDue[:0], FromSend: w.FromSend[:0], Lag: w.Lag[:0], IdleAge: w.IdleAge[:0], Served: w.Served[:0],
	}
	d := decoder{Reader: fields.New(b, ErrMalformed)}
	d.version()
	w.Target = d.Uint16()
	w.Index = d.Int32()
	for _, n := range [...]*uint64{&w.Scheduled, &w.Sent, &w.Unsent, &w.Retries, &w.Dials} {
		*n = d.Uvarint()
	}
	w.Open = d.Varint()
	w.InFlight = d.Varint()
	w.IdleConnSeconds = d.Float64()

	if n := d.Count(8); n > 0 { // a cell takes at least 8 bytes
		w.Cells = resized(w.Cells, n)
		for i := range w.Cells {
			c := &w.Cells[i]
			*c = Cell{}
			c.DueWindow = d.Int32From(int64(w.Index))
			c.Remote = d.Uint16()
			c.Fault, c.Phase = d.fault(), d.phase()
			var detailed bool
			d.Flags(&c.Reused, &c.Held, &detailed)
			c.Attempts, c.Requests, c.WireResets = d.Uvarint(), d.Uvarint(), d.Uvarint()
			if detailed {
				c.Detail = d.detail()
			}
		}
	}
	if n := d.Count(2); n > 0 {
		w.Statuses = resized(w.Statuses, n)
		for i := range w.Statuses {
			w.Statuses[i] = StatusCount{d.Uint16(), d.Uvarint()}
		}
	}
	for _, h := range [...]*Histogram{&w.FromDue, &w.FromSend, &w.Lag, &w.IdleAge, &w.Served} {
		*h = d.histogram(*h)
	}
	w.FailuresDropped = d.Uvarint()
	if d.of >= 3 {
		if n := d.Count(5); n > 0 {
			w.Requests = make([]RequestCount, n)
			for i := range w.Requests {
				r := &w.Requests[i]
				r.Endpoint = d.Uint32()
				r.Attempts, r.Failed, r.Sent, r.Received = d.Uvarint(), d.Uvarint(), d.Uvarint(), d.Uvarint()
			}
		}
	}
	if d.of >= 4 {
		w.Wanted, w.Undialled = d.Varint(), d.Varint()
		w.Unawaited, w.LookupFailures = d.Uvarint(), d.Uvarint()
	}
	if err := d.End(); err != nil {
		return fmt.Errorf("decode window: %w", err)
	}
	return nil
}

// DecodeFailure reads what [AppendFailure] wrote. It never panics and allocates
// in proportion to len(b).
func DecodeFailure(b []byte) (Failure, error) {
	var f Failure
	var gaps, detailed, answered bool
	d := decoder{Reader: fields.New(b, ErrMalformed)}
	d.version()
	d.Flags(&f.Last, &f.WireReset, &f.Conn.Reused, &f.Info.Valid, &gaps, &f.Held, &detailed, &answered)
	f.Fault, f.Phase = d.fault(), d.phase()
	f.Request = d.Uvarint()
	f.Try, f.Target, f.Endpoint, f.Status = d.Uint16(), d.Uint16(), d.Uint32(), d.Uint16()
	f.Due = d.Duration()
	f.Start = f.Due + d.Duration()
	f.End = f.Start + d.Duration()

	f.Conn.ID = d.Uvarint()
	f.Conn.Served = d.Uint32()
	f.Conn.Age = d.Duration()
	f.Conn.Idle = d.Duration()
	f.Conn.Local = d.AddrPort()
	f.Conn.Remote = d.AddrPort()
	f.Conn.RemoteIndex = d.Uint16()

	f.Info.State, f.Info.Retransmits = d.Byte(), d.Byte()
	for _, n := range [...]*uint32{&f.Info.TotalRetrans, &f.Info.Lost, &f.Info.Unacked, &f.Info.NotSent} {
		*n = d.Uint32()
	}
	f.Info.RTT = d.Duration()
	f.Info.RTTVar = d.Duration()
	if gaps {
		if f.Info.OutOfOrder = d.Uint32(); f.Info.OutOfOrder == 0 && !d.Failed() {
			d.Fail("segments out of order: flagged, but none")
		}
	}
	if detailed {
		f.Detail = d.detail()
	}
	if d.of >= 3 {
		f.Sent, f.Received = d.Uint32(), d.Uvarint()
	}
	if answered {
		f.Answer = d.answer()
	}
	if err := d.End(); err != nil {
		return Failure{}, fmt.Errorf("decode failure: %w", err)
	}
	return f, nil
}

// DecodeAddress reads what [AppendAddress] wrote. It never panics and allocates
// in proportion to len(b).
func DecodeAddress(b []byte) (Address, error) {
	d := decoder{Reader: fields.New(b, ErrMalformed)}
	d.version()
	a := Address{Target: d.Uint16(), Index: d.Uint16(), Addr: d.AddrPort()}
	if err := d.End(); err != nil {
		return Address{}, fmt.Errorf("decode address: %w", err)
	}
	return a, nil
}

// decoder reads the fields of this package's records.
type decoder struct {
	fields.Reader
	of byte // version of the record
}

func (d *decoder) version() { d.of = d.Version(codecVersion, ErrVersion) }

func (d *decoder) fault() Fault {
	f := Fault(d.Byte())
	if int(f) >= Faults {
		d.Fail("unknown fault")
		return None
	}
	return f
}

func (d *decoder) detail() Detail {
	out := Detail{DetailKind(d.Byte()), d.Uint16()}
	if !d.Failed() && (out.IsZero() || !out.valid()) {
		d.Fail("unknown detail")
		return Detail{}
	}
	return out
}

func (d *decoder) answer() *Answer {
	a := &Answer{Declared: d.Varint(), Received: d.Varint()}
	if n := d.Count(2); n > 0 {
		a.Headers = make([]AnswerHeader, n)
		for i := range a.Headers {
			a.Headers[i] = AnswerHeader{d.Text(), d.Text()}
		}
	}
	a.Body = d.Text()
	if d.of >= 6 {
		a.Why = d.Text()
	}
	return a
}

func (d *decoder) phase() Phase {
	p := Phase(d.Byte())
	if int(p) >= Phases {
		d.Fail("unknown phase")
		return 0
	}
	return p
}

// histogram reads a histogram into the room of another.
func (d *decoder) histogram(h Histogram) Histogram {
	n := d.Count(2)
	if n == 0 {
		return h[:0]
	}
	h = resized(h, n)
	var last int64
	for i := range h {
		step, n := d.Pair()
		last += step
		h[i] = Bucket{last, n}
	}
	return h
}
