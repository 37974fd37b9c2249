// Package scalar holds the single values of a profile: each reads its text, says what is
// wrong with it and how it is spelled, and writes itself. Words that are one of a few are
// listed beside their types.
package scalar
