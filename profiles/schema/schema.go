// Package schema knows the services of gRPC targets: it compiles their .proto files, finds
// the methods that a profile calls, and turns messages written as JSON into their bytes.
// It sends nothing: reflection is for attack/wire/grpc.
package schema

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/rampload/rampload/profiles/spelling"
)

// MaxSize bounds a schema, in bytes of its FileDescriptorSet.
const MaxSize = 32 << 20

// Compile compiles .proto files. They may import each other, files below the given folders,
// those beside them, and google/protobuf/*.proto. It returns an encoded FileDescriptorSet.
// Errors name file and line.
func Compile(files, folders []string) ([]byte, error) {
	var roots []string
	root := func(dir string) {
		if dir = filepath.Clean(dir); !slices.Contains(roots, dir) {
			roots = append(roots, dir)
		}
	}
	for _, dir := range folders {
		root(dir)
	}
	var names []string
	for _, file := range files {
		info, err := os.Stat(file)
		switch {
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", file, err)
		case !info.Mode().IsRegular() || info.Size() > MaxSize:
			return nil, fmt.Errorf("read %s: it is no file of at most %d MiB: name a .proto file", file, MaxSize>>20)
		}
		names = append(names, nameIn(roots, file))
		if len(roots) == 0 || nameIn(roots, file) == filepath.ToSlash(file) {
			root(filepath.Dir(file))
			names[len(names)-1] = filepath.Base(file)
		}
	}
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: roots}),
	}
	compiled, err := compiler.Compile(context.Background(), names...)
	if err != nil {
		return nil, fmt.Errorf("compile protos: %w", err)
	}
	var set descriptorpb.FileDescriptorSet
	known := map[string]bool{}
	var add func(fd protoreflect.FileDescriptor)
	add = func(fd protoreflect.FileDescriptor) {
		if known[fd.Path()] {
			return
		}
		known[fd.Path()] = true
		for i := range fd.Imports().Len() {
			add(fd.Imports().Get(i).FileDescriptor)
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(fd))
	}
	for _, fd := range compiled {
		add(fd)
	}
	out, err := proto.MarshalOptions{Deterministic: true}.Marshal(&set)
	if err == nil && len(out) > MaxSize {
		err = fmt.Errorf("more than %d MiB", MaxSize>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("compile protos: %w", err)
	}
	return out, nil
}

// nameIn returns the name of a file as imports below one of the folders would write it, or
// the file itself.
func nameIn(roots []string, file string) string {
	for _, root := range roots {
		if rel, err := filepath.Rel(root, file); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	return filepath.ToSlash(file)
}

// Schema is services and the types of their messages. It is immutable.
type Schema struct {
	files *protoregistry.Files
}

// Parse reads an encoded FileDescriptorSet, of files in any order.
func Parse(set []byte) (*Schema, error) {
	if len(set) > MaxSize {
		return nil, fmt.Errorf("read schema: it has more than %d MiB", MaxSize>>20)
	}
	var fds descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(set, &fds); err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	files, err := protodesc.FileOptions{AllowUnresolvable: true}.NewFiles(&fds)
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	return &Schema{files: files}, nil
}

// Method is a method of a service. It is immutable.
type Method struct {
	protoreflect.MethodDescriptor
	schema *Schema
}

// Idempotent reports whether the schema says that calling it twice does no harm.
func (m Method) Idempotent() bool {
	opts, ok := m.Options().(*descriptorpb.MethodOptions)
	return ok && opts.GetIdempotencyLevel() != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN
}

// Method finds the method of a path, such as /shop.Orders/Get. The error says which there
// are.
func (s *Schema) Method(path string) (Method, error) {
	service, name, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok {
		return Method{}, fmt.Errorf("%s is no call: write package.Service/Method", spelling.Quote(path))
	}
	found, err := s.files.FindDescriptorByName(protoreflect.FullName(service))
	sd, isService := found.(protoreflect.ServiceDescriptor)
	if err != nil || !isService {
		return Method{}, fmt.Errorf("there is no service %s%s", spelling.Quote(service), hint(service, s.Services()))
	}
	md := sd.Methods().ByName(protoreflect.Name(name))
	if md == nil {
		var names []string
		for i := range sd.Methods().Len() {
			names = append(names, string(sd.Methods().Get(i).Name()))
		}
		return Method{}, fmt.Errorf("service %s has no method %s%s", service, spelling.Quote(name), hint(name, names))
	}
	return Method{md, s}, nil
}

// Services returns the full names of all services, but for those of reflection.
func (s *Schema) Services() []string {
	var out []string
	s.files.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		for i := range fd.Services().Len() {
			if name := string(fd.Services().Get(i).FullName()); !strings.HasPrefix(name, "grpc.reflection.") {
				out = append(out, name)
			}
		}
		return true
	})
	slices.Sort(out)
	return out
}

// Calls returns the paths of all methods, as a profile calls them.
func (s *Schema) Calls() []string {
	var out []string
	for _, service := range s.Services() {
		d, err := s.files.FindDescriptorByName(protoreflect.FullName(service))
		if sd, ok := d.(protoreflect.ServiceDescriptor); err == nil && ok {
			for i := range sd.Methods().Len() {
				out = append(out, service+"/"+string(sd.Methods().Get(i).Name()))
			}
		}
	}
	return out
}

// hint suggests a name, or says which there are.
func hint(name string, names []string) string {
	if near := spelling.Nearest(name, names); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	// The name without its package, as people say it.
	for _, full := range names {
		if strings.HasSuffix(full, "."+name) {
			return fmt.Sprintf("; did you mean %q?", full)
		}
	}
	const most = 8
	if len(names) == 0 {
		return "; there is none"
	}
	list := strings.Join(names[:min(len(names), most)], ", ")
	if len(names) > most {
		list += ", ..."
	}
	return "; there are " + list
}
