package grpc

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles/schema"
	"github.com/rampload/rampload/profiles/spelling"
)

// ErrNoReflection says that a server has no reflection service.
var ErrNoReflection = errors.New("the server has no reflection")

// Limits of what a server may tell by reflection.
const (
	maxFiles    = 2000
	maxServices = 1000
)

// Reflect asks a target for the files of its services by server reflection, in version v1
// or v1alpha, and returns them as an encoded FileDescriptorSet. The metadata of the first
// request goes along, for servers that ask for credentials. It makes connections of its
// own, and takes no longer than ctx and the client's timeout for each question.
func Reflect(ctx context.Context, cfg attack.ClientConfig) ([]byte, error) {
	q, err := newQuestioner(cfg)
	if err != nil {
		return nil, err
	}
	defer q.via.Close()
	defer context.AfterFunc(ctx, q.via.Abort)()
	r := &reflection{questioner: q}
	return r.read()
}

// reflection asks one server for its schema.
type reflection struct {
	*questioner
	path   string // of the method, once it is known
	size   int
	files  map[string][]byte // encoded FileDescriptorProtos by name
	order  []string
	wanted []string // names of files that others import
}

// The fields of requests and answers (grpc/reflection/v1/reflection.proto; v1alpha has the
// same).
const (
	askFile, askSymbol, askServices           = 3, 4, 7
	answerFiles, answerServices, answerFailed = 4, 6, 7
)

func (r *reflection) read() ([]byte, error) {
	r.files = map[string][]byte{}
	services, err := r.services()
	if err != nil {
		return nil, err
	}
	for _, name := range services {
		if err := r.fetch(askSymbol, name); err != nil {
			return nil, fmt.Errorf("service %s: %w", name, err)
		}
	}
	for len(r.wanted) > 0 {
		name := r.wanted[0]
		r.wanted = r.wanted[1:]
		if _, known := r.files[name]; known {
			continue
		}
		if err := r.fetch(askFile, name); err != nil {
			// A schema can do without: where it cannot, the method that needs it says so.
			var no *refused
			if !errors.As(err, &no) {
				return nil, fmt.Errorf("file %s: %w", name, err)
			}
			r.files[name] = nil
		}
	}
	var set []byte
	for _, name := range r.order {
		set = protowire.AppendBytes(protowire.AppendTag(set, 1, protowire.BytesType), r.files[name])
	}
	return set, nil
}

// services lists the services of the server, and finds out which version it speaks.
func (r *reflection) services() ([]string, error) {
	for _, version := range []string{"v1", "v1alpha"} {
		r.path = "/grpc.reflection." + version + ".ServerReflection/ServerReflectionInfo"
		answer, err := r.question(askServices, "*")
		var no *Unanswered
		if errors.As(err, &no) && no.Attempt.Detail == attack.GRPCCode(12) { // unimplemented
			continue
		}
		if err != nil {
			return nil, err
		}
		var out []string
		for _, list := range subfields(answer, answerServices) {
			for _, service := range subfields(list, 1) {
				for _, name := range subfields(service, 1) {
					if !slices.Contains(out, string(name)) && len(out) < maxServices {
						out = append(out, string(name))
					}
				}
			}
		}
		return slices.DeleteFunc(out, func(name string) bool {
			return name == "grpc.reflection.v1.ServerReflection" || name == "grpc.reflection.v1alpha.ServerReflection"
		}), nil
	}
	return nil, ErrNoReflection
}

// refused is what the reflection service says to one question.
type refused struct{ text string }

func (e *refused) Error() string { return "reflection says: " + e.text }

// fetch asks for files.
func (r *reflection) fetch(what protowire.Number, name string) error {
	answer, err := r.question(what, name)
	if err != nil {
		return err
	}
	if failed := subfields(answer, answerFailed); len(failed) > 0 {
		text := "error"
		for _, said := range subfields(failed[0], 2) {
			text = spelling.Cite(string(said))
		}
		return &refused{text}
	}
	for _, list := range subfields(answer, answerFiles) {
		for _, file := range subfields(list, 1) {
			r.add(file)
		}
	}
	if r.size > schema.MaxSize || len(r.files) > maxFiles {
		return fmt.Errorf("more than %d files or %d MiB: give protos: [FILE.proto]", maxFiles, schema.MaxSize>>20)
	}
	return nil
}

// add takes a file, and notes what it imports.
func (r *reflection) add(file []byte) {
	for _, name := range subfields(file, 1) {
		if r.files[string(name)] != nil {
			return
		}
		r.files[string(name)] = file
		r.order = append(r.order, string(name))
		r.size += len(file)
	}
	for _, dependency := range subfields(file, 3) {
		r.wanted = append(r.wanted, string(dependency))
	}
}

// question puts one question to the reflection service, and returns the answer's message.
func (r *reflection) question(what protowire.Number, name string) ([]byte, error) {
	return r.ask(r.path, protowire.AppendString(protowire.AppendTag(nil, what, protowire.BytesType), name))
}

// subfields returns the values of a field of an encoded message; what is malformed has
// none.
func subfields(b []byte, number protowire.Number) [][]byte {
	var out [][]byte
	for len(b) > 0 {
		n, kind, length := protowire.ConsumeTag(b)
		if length < 0 {
			return out
		}
		b = b[length:]
		if n == number && kind == protowire.BytesType {
			v, length := protowire.ConsumeBytes(b)
			if length < 0 {
				return out
			}
			out, b = append(out, v), b[length:]
			continue
		}
		if length = protowire.ConsumeFieldValue(n, kind, b); length < 0 {
			return out
		}
		b = b[length:]
	}
	return out
}
