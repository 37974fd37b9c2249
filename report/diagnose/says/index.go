package says

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// wording is a group of phrases that say the same, in lower case. Software uses each phrase for
// that meaning only. "…" stands for any text.
type wording struct {
	meaning Meaning
	of      Of
	phrases []string
}

// naming is a group of error names that say the same: classes of exceptions and codes in words,
// separated by blanks and spelled as their software does. Each is also found in other spellings:
// TooManyConnections, TOO_MANY_CONNECTIONS, TooManyConnectionsError.
type naming struct {
	meaning Meaning
	of      Of
	names   string
}

// coded is what the code of an error says. A weak code names a place or a kind of error and not the
// reason, so that any known words in the text say more.
type coded struct {
	meaning Meaning
	of      Of
	weak    bool
}

// hit is what was found in a text. A lower rank is more telling.
type hit struct {
	coded
	phrase string
	rank   int  // order among all hits, from 0
	end    int  // offset in the text behind what was found
	small  bool // for a name: it may also begin with a small letter
}

// noRank is the rank of nothing. From weakRank on come the codes that do not say why, in the order
// of meanings, after all words.
const (
	weakRank = 1 << 24
	noRank   = 1 << 30
	perGroup = 1 << 12 // the largest number of phrases in a group
)

// phrase is one phrase as the index looks for it: by four of its bytes that few other phrases have.
type phrase struct {
	hit
	from  int  // offset of the four bytes in the phrase
	whole bool // it has no "…"
	part  int  // number among the phrases with "…"
}

// index finds the phrases of the vocabulary in one pass over a text. It is safe for concurrent use.
type index struct {
	grams   map[uint32][]phrase // phrases by their four bytes, the most telling first
	maybe   [1 << 10]uint64     // bit set of hashes of the four bytes, a fast way to skip most of a text
	names   map[string]hit
	ranks   map[coded]int // the group of phrases that says the same
	inParts int
}

// theIndex is made at the first use, and only read from then on.
var theIndex = sync.OnceValue(func() *index {
	return newIndex(vocabulary, slices.Concat(errnoWords(), sqlWords, storeWords, brokerWords, networkWords(), proxyWords, runtimeWords, systemWords),
		slices.Concat(errnoNames(), sqlNames(), storeNames, brokerNames, networkNames, proxyNames, runtimeNames, systemNames), slices.Concat(rpcNames, weakNames))
})

// newIndex ranks all phrases and names. The phrases of the vocabulary keep its order. Others get the
// rank of the first group of the vocabulary with their meaning, or of the last group where the meaning
// is a consequence (see follows).
func newIndex(vocabulary, words []wording, names, weak []naming) *index {
	x := &index{grams: map[uint32][]phrase{}, names: map[string]hit{}, ranks: map[coded]int{}}
	fill := make([]int, len(vocabulary)+int(Meanings)) // number of phrases in each group so far
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

// rank returns the rank of a code: last in the group of phrases that says the same.
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
	return group*perGroup + perGroup - 1 // the phrases of the group are more exact
}

// follows reports whether a meaning is a consequence of the trouble rather than its reason.
func (m Meaning) follows() bool {
	switch m {
	case Slow, NoConnect, Exception, Crashed, Forbidden:
		return true
	}
	return false
}

// plant enters each phrase under those four of its bytes that the fewest other phrases have.
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
				continue // part of "…", which is not ASCII
			}
			if best < 0 || common[gram(p.phrase, i)] < common[gram(p.phrase, best)] {
				best = i
			}
		}
		if best < 0 {
			continue // shorter than four bytes; a test makes sure that there is none
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

// find returns the most telling hit in a text. low is the text in lower case. want restricts the
// meanings; nil: all.
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

// words finds the most telling phrase in a text in lower case. A whole phrase is compared only where
// its four bytes are, and one with "…" only once, so the time is linear in the text.
func (x *index) words(low string, best *hit, want func(Meaning) bool) {
	var tried [4]uint64 // bit set of the phrases with "…" that were looked for already; a test makes sure that it has room
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

// holds returns the offset behind a phrase in a text; -1 where it is not in it. The parts between
// "…" must follow each other, with any text between them.
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

// plain returns a name in the spelling of the index: in small letters, without underscores.
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
