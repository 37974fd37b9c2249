package says

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// wording is wordings that say one thing, in lower case. Each phrase is one that its
// authors chose for that alone; "…" stands for anything.
type wording struct {
	meaning Meaning
	of      Of
	phrases []string
}

// naming is names of errors that say one thing, as their software spells them, blanks
// between them: classes of exceptions, codes in words. Each is known however it is written:
// TooManyConnections, TOO_MANY_CONNECTIONS, TooManyConnectionsError.
type naming struct {
	meaning Meaning
	of      Of
	names   string
}

// coded is what an error's code says. A weak one names the place or the kind and not the
// reason: any words beside it say more.
type coded struct {
	meaning Meaning
	of      Of
	weak    bool
}

// hit is what was found in a text, and how telling it is.
type hit struct {
	coded
	phrase string
	rank   int  // the lower, the more telling
	end    int  // of it in the text
	small  bool // of a name: it may begin with a small letter
}

// noRank is that of nothing, weakRank that of codes which do not say why: they come in the
// order of meanings, behind all words.
const (
	weakRank = 1 << 24
	noRank   = 1 << 30
	perGroup = 1 << 12 // phrases of a group at most
)

// phrase is a wording as it is looked for: by four bytes of it, which few others have.
type phrase struct {
	hit
	from  int  // where these four stand in it
	whole bool // nothing in between may be left out
	part  int  // number among those that are not whole
}

// index finds all wordings of the vocabulary in one pass over a text.
type index struct {
	grams   map[uint32][]phrase // by four bytes, the most telling first
	maybe   [1 << 10]uint64     // bits of hashes of the four bytes: most of a text has none
	names   map[string]hit
	ranks   map[coded]int // of what codes say
	inParts int
}

// theIndex is made when it is first asked for, and only read from then on.
var theIndex = sync.OnceValue(func() *index {
	return newIndex(vocabulary, slices.Concat(errnoWords(), sqlWords, storeWords, brokerWords, networkWords(), proxyWords, runtimeWords, systemWords),
		slices.Concat(errnoNames(), sqlNames(), storeNames, brokerNames, networkNames, proxyNames, runtimeNames, systemNames), slices.Concat(rpcNames, weakNames))
})

// newIndex orders what can be said: words of the vocabulary as they stand there, all others
// with the first group that says the same, or the last where it only says what followed.
func newIndex(vocabulary, words []wording, names, weak []naming) *index {
	x := &index{grams: map[uint32][]phrase{}, names: map[string]hit{}, ranks: map[coded]int{}}
	fill := make([]int, len(vocabulary)+int(Meanings)) // phrases of each group
	var all []phrase
	add := func(m Meaning, of Of, text string, group int) {
		all = append(all, phrase{hit: hit{coded: coded{meaning: m, of: of}, phrase: text, rank: group*perGroup + fill[group]}})
		fill[group]++
	}
	for i, v := range vocabulary {
		c := coded{meaning: v.meaning, of: v.of}
		if _, known := x.ranks[c]; !known || v.meaning.follows() {
			x.ranks[c] = i
		}
		for _, p := range v.phrases {
			add(v.meaning, v.of, p, i)
		}
	}
	for _, w := range words {
		for _, p := range w.phrases {
			add(w.meaning, w.of, p, x.rank(coded{meaning: w.meaning, of: w.of})/perGroup)
		}
	}
	for i, ns := range [][]naming{names, weak} {
		for _, n := range ns {
			c := coded{meaning: n.meaning, of: n.of, weak: i > 0}
			for _, name := range strings.Fields(n.names) {
				key := plain(name)
				if _, known := x.names[key]; !known {
					x.names[key] = hit{coded: c, rank: x.rank(c), small: name[0] >= 'a' || name[0] == 'E' && !strings.Contains(name, "_") && strings.ToUpper(name) == name}
				}
			}
		}
	}
	x.plant(all)
	return x
}

// rank is how telling a code is.
func (x *index) rank(c coded) int {
	if c.weak {
		return weakRank + int(c.meaning)
	}
	group, known := x.ranks[c]
	if !known {
		group, known = x.ranks[coded{meaning: c.meaning, of: 1 - c.of}]
	}
	if !known {
		return weakRank + int(c.meaning)
	}
	return group*perGroup + perGroup - 1 // the words of the group name it better
}

// follows reports whether a meaning says what came of it rather than why.
func (m Meaning) follows() bool {
	switch m {
	case Slow, NoConnect, Exception, Crashed, Forbidden:
		return true
	}
	return false
}

// plant puts each phrase under those four of its bytes that the fewest others have.
func (x *index) plant(all []phrase) {
	common := map[uint32]int{}
	for _, p := range all {
		for part := range strings.SplitSeq(p.phrase, "…") {
			for i := 0; i+4 <= len(part); i++ {
				common[gram(part, i)]++
			}
		}
	}
	for _, p := range all {
		best := -1
		for i := 0; i+4 <= len(p.phrase); i++ {
			if gram(p.phrase, i)&0x80808080 != 0 {
				continue // of "…"
			}
			if best < 0 || common[gram(p.phrase, i)] < common[gram(p.phrase, best)] {
				best = i
			}
		}
		if best < 0 {
			continue // a test holds that there is none
		}
		p.from, p.whole = best, !strings.Contains(p.phrase, "…")
		if !p.whole {
			p.part = x.inParts
			x.inParts++
		}
		g := gram(p.phrase, best)
		x.grams[g] = append(x.grams[g], p)
	}
	for g := range maps.Keys(x.grams) {
		slices.SortFunc(x.grams[g], func(a, b phrase) int { return a.rank - b.rank })
		h := hash(g)
		x.maybe[h>>6] |= 1 << (h & 63)
	}
}

func gram(s string, at int) uint32 {
	return uint32(s[at]) | uint32(s[at+1])<<8 | uint32(s[at+2])<<16 | uint32(s[at+3])<<24
}

func hash(g uint32) uint32 { return g * 0x9e3779b1 >> 16 }

// find finds the most telling of what a text says: of all meanings, or of those wanted.
func (x *index) find(text, low string, want func(Meaning) bool) hit {
	best := hit{rank: noRank}
	x.words(low, &best, want)
	x.codes(text, low, &best, want)
	if best.rank >= weakRank && want == nil {
		if h := concepts(text, low); h.rank < best.rank {
			return h
		}
	}
	return best
}

// words finds the most telling wording of a text in lower case. Every phrase is compared
// where it may stand, those in parts once: the work is linear in the text.
func (x *index) words(low string, best *hit, want func(Meaning) bool) {
	var tried [4]uint64 // phrases in parts
	for i := 0; i+4 <= len(low); i++ {
		g := gram(low, i)
		if h := hash(g); x.maybe[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		for _, p := range x.grams[g] {
			if p.rank >= best.rank {
				break
			}
			if want != nil && !want(p.meaning) {
				continue
			}
			if p.whole {
				if at := i - p.from; at >= 0 && strings.HasPrefix(low[at:], p.phrase) {
					*best = p.hit
					best.end = at + len(p.phrase)
				}
				continue
			}
			if tried[p.part>>6]&(1<<(p.part&63)) != 0 {
				continue
			}
			tried[p.part>>6] |= 1 << (p.part & 63)
			if end := holds(low, p.phrase); end >= 0 {
				*best = p.hit
				best.end = end
			}
		}
	}
}

// holds returns where a phrase ends in a text, -1 if it has none. Parts that "…" separates
// follow each other with anything between them.
func holds(text, phrase string) int {
	end := 0
	for {
		part, rest, more := strings.Cut(phrase, "…")
		at := strings.Index(text[end:], part)
		if at < 0 {
			return -1
		}
		end += at + len(part)
		if !more {
			return end
		}
		phrase = rest
	}
}

// plain is a name as it is looked for: small letters and digits.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		case r == '_':
			return -1
		}
		return r
	}, name)
}
