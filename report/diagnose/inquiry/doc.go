// Package inquiry is what a cause is made of: a rule with what speaks for and against it in
// few strengths, the hypothesis that it holds at one hop of a run, the words of its advice,
// and the experiments that tell it from others. It knows no cause: those are in package
// causes, each in a file of its own.
package inquiry
