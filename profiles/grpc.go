package profiles

import (
	"slices"
	"strconv"
	"strings"
)

// GRPCStatuses are the names of the statuses of gRPC, by their number
// (https://grpc.github.io/grpc/core/md_doc_statuscodes.html).
func GRPCStatuses() []string {
	return []string{
		"ok", "cancelled", "unknown", "invalid-argument", "deadline-exceeded", "not-found", "already-exists",
		"permission-denied", "resource-exhausted", "failed-precondition", "aborted", "out-of-range", "unimplemented",
		"internal", "unavailable", "data-loss", "unauthenticated",
	}
}

// GRPCStatusName returns the name of a status, or its number.
func GRPCStatusName(code int) string {
	if names := GRPCStatuses(); code >= 0 && code < len(names) {
		return names[code]
	}
	return strconv.Itoa(code)
}

// ParseGRPCStatus reads a name in any of its spellings, such as not-found or NOT_FOUND.
func ParseGRPCStatus(text string) (code int, ok bool) {
	name := strings.ReplaceAll(strings.ToLower(text), "_", "-")
	if name == "canceled" {
		name = "cancelled"
	}
	i := slices.Index(GRPCStatuses(), name)
	return i, i >= 0
}

// IsGRPC reports whether the range is of statuses of gRPC: those of HTTP have three digits.
func (r StatusRange) IsGRPC() bool { return r.High < 100 }

// DefaultGRPCExpect returns the statuses that count as success unless a target says
// otherwise: ok.
func DefaultGRPCExpect() StatusSet { return StatusSet{{}} }

func (t Target) defaultExpect() StatusSet {
	if t.Speaks() == SpeaksGRPC {
		return DefaultGRPCExpect()
	}
	return DefaultExpect()
}

// clone shares the schema, which nobody changes.
func (g GRPC) clone() GRPC {
	g.Protos, g.ProtoPaths = slices.Clone(g.Protos), slices.Clone(g.ProtoPaths)
	return g
}
