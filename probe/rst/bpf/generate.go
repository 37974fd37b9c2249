package bpf

// The objects are made by clang from the C files and kept, so that building needs
// no clang. `make generate` makes them again.
//
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -tags linux -target amd64,arm64 -go-package bpf -type event -type folded_key -type flow -type counted -type drop_key -type drop -type wait_key -type waits -cflags "-O2 -g -mcpu=v2 -Wall -Werror" trace trace.bpf.c -- -I.
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -tags linux -target amd64,arm64 -go-package bpf -type packet_record -type packet_fold -cflags "-O2 -g -mcpu=v2 -Wall -Werror" packets packets.bpf.c -- -I.
