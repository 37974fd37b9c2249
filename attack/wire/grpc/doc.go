// Package grpc speaks gRPC to a target (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md):
// unary calls and streams in both directions, on the HTTP/2 of package mux. Methods and
// messages come from the schema of the target (profiles/schema), compiled once: a call is
// made of a few copies, and an answer is counted and thrown away.
//
// A call fails with the fault status where it ends with a grpc-status that is not expected,
// which is its detail; with the words of HTTP/2, or of the socket, where it has no status. It
// is never made twice.
package grpc
