package attack

import (
	"cmp"
	"slices"
)

// Merge returns what two generators did to one target in one interval, as one
// window: every count and level is the sum, and nothing is rounded. Both windows
// must have the same Target and Index and number the target's addresses alike;
// neither is changed. Cells and statuses come out in order, so that the result does
// not depend on the order of merging.
func (w Window) Merge(o Window) Window {
	w.Scheduled += o.Scheduled
	w.Sent += o.Sent
	w.Unsent += o.Unsent
	w.Retries += o.Retries
	w.Dials += o.Dials
	w.Open += o.Open
	w.InFlight += o.InFlight
	w.IdleConnSeconds += o.IdleConnSeconds
	w.FailuresDropped += o.FailuresDropped
	w.Wanted += o.Wanted
	w.Undialled += o.Undialled
	w.Unawaited += o.Unawaited
	w.LookupFailures += o.LookupFailures

	w.Cells = mergeCells(w.Cells, o.Cells)
	w.Statuses = mergeStatuses(w.Statuses, o.Statuses)
	w.Requests = mergeRequests(w.Requests, o.Requests)
	for _, h := range [...]struct{ into, from *Histogram }{
		{&w.FromDue, &o.FromDue}, {&w.FromSend, &o.FromSend}, {&w.Lag, &o.Lag}, {&w.IdleAge, &o.IdleAge}, {&w.Served, &o.Served},
	} {
		*h.into = h.into.Merge(*h.from)
	}
	return w
}

// mergeCells adds up the cells that count alike.
func mergeCells(a, b []Cell) []Cell {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, Cell.Compare)
	out := all[:0]
	for _, c := range all {
		if n := len(out); n > 0 && out[n-1].alike(c) {
			out[n-1].Attempts += c.Attempts
			out[n-1].Requests += c.Requests
			out[n-1].WireResets += c.WireResets
			continue
		}
		out = append(out, c)
	}
	return slices.Clip(out)
}

// Compare orders cells by what they count.
func (c Cell) Compare(o Cell) int {
	return cmp.Or(cmp.Compare(c.DueWindow, o.DueWindow), cmp.Compare(c.Remote, o.Remote), cmp.Compare(c.Fault, o.Fault),
		cmp.Compare(c.Detail.Kind, o.Detail.Kind), cmp.Compare(c.Detail.Code, o.Detail.Code), cmp.Compare(c.Phase, o.Phase), compareBool(c.Reused, o.Reused), compareBool(c.Held, o.Held))
}

// alike reports whether two cells count the same thing.
func (c Cell) alike(o Cell) bool {
	c.Attempts, c.Requests, c.WireResets = o.Attempts, o.Requests, o.WireResets
	return c == o
}

func mergeStatuses(a, b []StatusCount) []StatusCount {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(x, y StatusCount) int { return cmp.Compare(x.Status, y.Status) })
	out := all[:0]
	for _, s := range all {
		if n := len(out); n > 0 && out[n-1].Status == s.Status {
			out[n-1].Count += s.Count
			continue
		}
		out = append(out, s)
	}
	return slices.Clip(out)
}

func mergeRequests(a, b []RequestCount) []RequestCount {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(x, y RequestCount) int { return cmp.Compare(x.Endpoint, y.Endpoint) })
	out := all[:0]
	for _, r := range all {
		if n := len(out); n > 0 && out[n-1].Endpoint == r.Endpoint {
			out[n-1].add(r)
			continue
		}
		out = append(out, r)
	}
	return slices.Clip(out)
}

func (r *RequestCount) add(o RequestCount) {
	r.Attempts += o.Attempts
	r.Failed += o.Failed
	r.Sent += o.Sent
	r.Received += o.Received
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
