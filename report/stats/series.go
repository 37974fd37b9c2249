package stats

// blockSeconds are the lengths of the blocks between which events are looked at for
// clusters. Failures that share a cause come within seconds of each other: a block
// that is shorter than a cluster sees only a part of it.
var blockSeconds = [...]float64{1, 2, 4, 8}

// series holds the running sums of rates without their masked windows. Sums up to
// built leave all masks out; beyond it they only leave out the bursts, which are
// known from the start. So an episode that is masked on the way costs its own
// length, and a scan stays linear in the length of the series.
type series struct {
	r      Rates
	masked []bool
	n      int
	least  float64 // smallest dispersion to assume; 0: as measured

	allY, allE []float64 // sums over the windows before an index, masked ones too
	rawY, rawE []float64 // sums over the windows before an index, less the bursts
	rawActive  []int
	built      int
	y, e       []float64 // the same less the episodes too, up to built
	active     []int
	blocks     [len(blockSeconds)]blockSums
	everything [len(blockSeconds)]blockSums // with all that is masked
	stretches  []stretch                    // of stretchWindows each
}

// blockSums are running sums over whole blocks of one length, counted from the
// start of the series.
type blockSums struct {
	size    int
	y, e    []float64 // per block that was added up: events, exposure,
	squares []float64 // events squared by exposure,
	count   []float64 // and blocks with an exposure
}

func newBlockSums(size, windows int) blockSums {
	n := windows/size + 2
	return blockSums{
		size: size, y: make([]float64, 1, n), e: make([]float64, 1, n),
		squares: make([]float64, 1, n), count: make([]float64, 1, n),
	}
}

// fill adds the blocks that end before a window, out of running sums.
func (b *blockSums) fill(y, e []float64, built int) {
	for at := len(b.y) - 1; (at+1)*b.size <= built; at++ {
		dy, de := y[(at+1)*b.size]-y[at*b.size], e[(at+1)*b.size]-e[at*b.size]
		square, one := 0.0, 0.0
		if de > 0 {
			square, one = dy*dy/de, 1
		}
		b.y, b.e = append(b.y, b.y[at]+dy), append(b.e, b.e[at]+de)
		b.squares, b.count = append(b.squares, b.squares[at]+square), append(b.count, b.count[at]+one)
	}
}

func newSeries(r Rates, masked []bool) *series {
	s := &series{r: r, masked: masked, n: r.end()}
	s.rawY, s.rawE, s.rawActive = make([]float64, s.n+1), make([]float64, s.n+1), make([]int, s.n+1)
	s.y, s.e, s.active = make([]float64, s.n+1), make([]float64, s.n+1), make([]int, s.n+1)
	for i := range s.n {
		y, e, active := s.window(i)
		s.rawY[i+1], s.rawE[i+1], s.rawActive[i+1] = s.rawY[i]+y, s.rawE[i]+e, s.rawActive[i]+active
	}
	s.allY, s.allE = make([]float64, s.n+1), make([]float64, s.n+1)
	for i := range s.n {
		s.allY[i+1], s.allE[i+1] = s.allY[i]+r.Count[i], s.allE[i]+r.Exposure[i]
	}
	for b, seconds := range blockSeconds {
		s.blocks[b] = newBlockSums(r.windows(seconds), s.n)
		s.everything[b] = newBlockSums(r.windows(seconds), s.n)
		s.everything[b].fill(s.allY, s.allE, s.n)
	}
	s.stretches = s.summarise()
	return s
}

// window returns what a window counts, nothing when it is masked.
func (s *series) window(i int) (y, e float64, active int) {
	if s.masked[i] {
		return 0, 0, 0
	}
	if s.r.Count[i] > 0 {
		active = 1
	}
	return s.r.Count[i], s.r.Exposure[i], active
}

// fill adds up all that lies before a window.
func (s *series) fill(to int) {
	for i := s.built; i < to; i++ {
		y, e, active := s.window(i)
		s.y[i+1], s.e[i+1], s.active[i+1] = s.y[i]+y, s.e[i]+e, s.active[i]+active
	}
	s.built = max(s.built, to)
	for b := range s.blocks {
		s.blocks[b].fill(s.y, s.e, s.built)
	}
}

// mask leaves an episode out of all that comes later.
func (s *series) mask(episode Segment) {
	s.built = min(s.built, episode.From)
	for b := range s.blocks {
		sums := &s.blocks[b]
		keep := min(len(sums.y), s.built/sums.size+1)
		sums.y, sums.e, sums.squares, sums.count = sums.y[:keep], sums.e[:keep], sums.squares[:keep], sums.count[:keep]
	}
	for i := episode.From; i < episode.To; i++ {
		s.masked[i] = true
	}
	s.fill(episode.To)
}

// sums returns events, exposure and active windows before an index.
func (s *series) sums(i int) (y, e float64, active int) {
	if i <= s.built {
		return s.y[i], s.e[i], s.active[i]
	}
	b := s.built
	return s.y[b] + s.rawY[i] - s.rawY[b], s.e[b] + s.rawE[i] - s.rawE[b], s.active[b] + s.rawActive[i] - s.rawActive[b]
}

// rate returns events, exposure and active windows in [from, to).
func (s *series) rate(from, to int) (y, e float64, active int) {
	from, to = min(max(from, 0), s.n), min(max(to, 0), s.n)
	if to <= from {
		return 0, 0, 0
	}
	ya, ea, aa := s.sums(from)
	yb, eb, ab := s.sums(to)
	return yb - ya, eb - ea, ab - aa
}

// all returns events and exposure in [from, to), masked windows included: what a
// reader counts.
func (s *series) all(from, to int) (y, e float64) {
	from, to = min(max(from, 0), s.n), min(max(to, 0), s.n)
	if to <= from {
		return 0, 0
	}
	return s.allY[to] - s.allY[from], s.allE[to] - s.allE[from]
}

// dispersion returns how clustered events are before window k, at least 1: the
// largest over blocks of 1 to 8 s of Pearson's Σ(y−p̂N)²/(p̂(1−p̂)N) per degree of
// freedom. It takes constant time.
func (s *series) dispersion(k int) float64 {
	worst := max(1, s.least)
	s.fill(k)
	y, e := s.y[k], s.e[k]
	if y < 2 || e == 0 {
		return worst
	}
	p := y / e
	spread := p * max(0.05, 1-p)
	for b := range s.blocks {
		sums := &s.blocks[b]
		at := k / sums.size
		if n := sums.count[at]; n >= minBlocks {
			chi2 := (sums.squares[at] - 2*p*sums.y[at] + p*p*sums.e[at]) / spread
			worst = max(worst, chi2/(n-1))
		}
	}
	return worst
}

// minBlocks is how many blocks a dispersion is taken over at least.
const minBlocks = 3

// firstEvent returns the first window from t on with an event, at most until. The
// likelihood's change of rate can lie before: a limit with a reserve, such as a
// queue or a bucket of tokens, is exceeded some time before it turns anything
// away, and what is turned away then grows as if there had been no reserve. A
// rise begins with what happens.
func (s *series) firstEvent(t, until int) int {
	for i := t; i <= until; i++ {
		if !s.masked[i] && s.r.Count[i] > 0 {
			return i
		}
	}
	return t
}

// dataEnd is where the windows that describe a rise end: some seconds after its
// alarm, or where the load falls again.
func (s *series) dataEnd(t int, ahead float64) int {
	end := min(s.n, t+1+s.r.windows(ahead))
	if s.r.Load == nil {
		return end
	}
	for i := t + 1; i < end; i++ {
		if s.r.Load[i] < 0.95*s.r.Load[t] {
			return i
		}
	}
	return end
}
