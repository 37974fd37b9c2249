package probe

// Delta returns by how much a cumulative metric grew between two readings.
//
// A total that went down either wrapped at 2³² (counters of 32 bits, such as
// those of conntrack and of old network drivers) or started again from 0 with
// its owner. It is taken for a wrap only if it stood in the last tenth of the
// range and the growth across the wrap is less than a tenth of it; else its
// owner restarted, and it has grown by what it now reads since then. A restart
// deserves a [CounterRestart] event.
func Delta(prev, cur float64) (delta float64, restarted bool) {
	const full = 1 << 32
	if cur >= prev {
		return cur - prev, false
	}
	if wrapped := cur + full - prev; prev > 0.9*full && prev < full && wrapped < 0.1*full {
		return wrapped, false
	}
	return cur, true
}
