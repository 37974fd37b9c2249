// Package inquiry defines what a cause consists of: a rule with the clues for and against it, in few
// strengths; the hypothesis that the rule holds at one hop of a run; the words of its advice; and the
// experiments that tell it from other causes. The causes themselves are in package causes.
package inquiry
