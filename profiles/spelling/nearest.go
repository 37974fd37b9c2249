package spelling

import "strings"

// Nearest returns the candidate that the word was most likely meant to be: the
// one at the smallest edit distance, at most a third of the word's length and at
// least one. It returns "" when none is near. Case, "-" and "_" do not count.
func Nearest(word string, candidates []string) string {
	const longest = 64 // nobody misspells longer words, and the distance costs their product
	if word == "" || len(word) > longest {
		return ""
	}
	fold := strings.NewReplacer("_", "", "-", "", " ", "")
	plain := fold.Replace(strings.ToLower(word))
	best, bestDistance := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		if c == "" || len(c) > longest {
			continue
		}
		if d := editDistance(plain, fold.Replace(strings.ToLower(c))); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance is the Damerau-Levenshtein distance (optimal string alignment):
// insertions, deletions, substitutions and swaps of neighbours each cost 1.
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// Suggest ends a message about an unknown word: with the nearest known one, or
// with all of them.
func Suggest(word string, known []string) string {
	if near := Nearest(word, known); near != "" {
		return "; did you mean \"" + near + "\"?"
	}
	return "; write one of " + strings.Join(known, ", ")
}
