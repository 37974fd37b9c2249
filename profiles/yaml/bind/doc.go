// Package bind carries a tree of nodes into Go types and back. The fields of the types
// are the keys: the tag yaml names them (with ",required"), the tag about explains them.
// What is not only fields, a list or a scalar reads itself ([Branch]) and writes itself
// ([Noder]). The package knows no key of a profile; mistakes are collected with their
// positions, as [Problem].
package bind
