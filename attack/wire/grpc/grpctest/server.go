// Package grpctest is a gRPC server for tests, made with google.golang.org/grpc, of the
// services of a schema that is known at run time only.
package grpctest

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	v1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Stream is one call, as a server sees it.
type Stream struct {
	grpc.ServerStream
	Method protoreflect.MethodDescriptor
}

// Receive returns the next message of the client, and io.EOF after the last.
func (s Stream) Receive() (*dynamicpb.Message, error) {
	m := dynamicpb.NewMessage(s.Method.Input())
	return m, s.RecvMsg(m)
}

// Answer sends a message; set fills it in.
func (s Stream) Answer(set func(m *dynamicpb.Message)) error {
	m := dynamicpb.NewMessage(s.Method.Output())
	if set != nil {
		set(m)
	}
	return s.SendMsg(m)
}

// Reflection says which versions of server reflection a server has.
type Reflection uint8

// The versions.
const (
	None Reflection = iota
	V1
	V1Alpha
)

// New makes a server of all services of an encoded FileDescriptorSet. Serve handles the
// calls: what it returns is their status.
func New(set []byte, reflects Reflection, serve func(s Stream) error, opts ...grpc.ServerOption) (*grpc.Server, error) {
	var fds descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(set, &fds); err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	files, err := protodesc.NewFiles(&fds)
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	server := grpc.NewServer(opts...)
	services(files, func(sd protoreflect.ServiceDescriptor) {
		desc := grpc.ServiceDesc{ServiceName: string(sd.FullName()), HandlerType: (*any)(nil), Metadata: sd.ParentFile().Path()}
		for i := range sd.Methods().Len() {
			m := sd.Methods().Get(i)
			desc.Streams = append(desc.Streams, grpc.StreamDesc{
				StreamName: string(m.Name()), ServerStreams: true, ClientStreams: true,
				Handler: func(_ any, s grpc.ServerStream) error { return serve(Stream{s, m}) },
			})
		}
		server.RegisterService(&desc, nil)
	})
	opt := reflection.ServerOptions{Services: server, DescriptorResolver: files, ExtensionResolver: new(protoregistry.Types)}
	switch reflects {
	case V1:
		v1.RegisterServerReflectionServer(server, reflection.NewServerV1(opt))
	case V1Alpha:
		v1alpha.RegisterServerReflectionServer(server, reflection.NewServer(opt))
	}
	return server, nil
}

func services(files *protoregistry.Files, f func(protoreflect.ServiceDescriptor)) {
	files.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		for i := range fd.Services().Len() {
			f(fd.Services().Get(i))
		}
		return true
	})
}

// Start serves on a free port of loopback, and returns its address.
func Start(ctx context.Context, server *grpc.Server) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() { _ = server.Serve(l) }() // ends with Stop
	return l.Addr().String(), nil
}
