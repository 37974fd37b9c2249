package main_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/rampload/rampload/attack/wire/grpc/grpctest"
	"github.com/rampload/rampload/profiles/schema"
)

// speaks VAR PROTOCOL [ARG ...] starts a server that speaks a protocol other than HTTP, and
// puts its host and port into the environment variable:
//
//   - lines: answers "+PONG" to each line, and "-ERR max number of clients reached" to
//     connections beyond ARG.
//   - websocket: says hello first, then echoes messages; "bye" has it close with 1013.
//   - grpc PROTO [AGE]: the services of a .proto file, with reflection; each call is answered
//     with an empty message, and Fail with unavailable. AGE is the greatest age of a
//     connection.
//   - redis: a Redis with ARGs.
func speaks(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: speaks VAR PROTOCOL [ARG ...]")
	}
	kind, rest := args[1], args[2:]
	start, known := map[string]func(*testscript.TestScript, []string) string{
		"lines": speaksLines, "websocket": speaksWebSocket, "grpc": speaksGRPC, "redis": speaksRedis,
	}[kind]
	if !known {
		ts.Fatalf("nobody speaks %s", kind)
	}
	ts.Setenv(args[0], start(ts, rest))
}

func speaksLines(ts *testscript.TestScript, args []string) string {
	most := 1 << 20
	if len(args) > 0 {
		_, err := fmt.Sscan(args[0], &most)
		ts.Check(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ln.Close() })
	slots := make(chan struct{}, most)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			select {
			case slots <- struct{}{}:
			default:
				_, _ = io.WriteString(c, "-ERR max number of clients reached\r\n")
				c.Close()
				continue
			}
			go func() {
				defer func() { c.Close(); <-slots }()
				for in := bufio.NewReader(c); ; {
					if _, err := in.ReadString('\n'); err != nil {
						return
					}
					if _, err := io.WriteString(c, "+PONG\r\n"); err != nil {
						return
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

func speaksWebSocket(ts *testscript.TestScript, _ []string) string {
	ctx, stop := context.WithCancel(context.Background())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/chat" {
			http.Error(w, "no such room", http.StatusNotFound)
			return
		}
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		if c.Write(ctx, websocket.MessageText, []byte("hello")) != nil {
			return
		}
		for {
			kind, b, err := c.Read(ctx)
			if err != nil {
				return
			}
			if string(b) == "bye" {
				c.Close(websocket.StatusTryAgainLater, "full")
				return
			}
			if c.Write(ctx, kind, b) != nil {
				return
			}
		}
	}))
	ts.Defer(func() { stop(); s.Close() })
	return strings.TrimPrefix(s.URL, "http://")
}

func speaksGRPC(ts *testscript.TestScript, args []string) string {
	if len(args) < 1 {
		ts.Fatalf("usage: speaks VAR grpc PROTO [AGE]")
	}
	set, err := schema.Compile([]string{ts.MkAbs(args[0])}, nil)
	ts.Check(err)
	var opts []grpc.ServerOption
	if len(args) > 1 {
		age, err := time.ParseDuration(args[1])
		ts.Check(err)
		opts = append(opts, grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: age, MaxConnectionAgeGrace: age / 2}))
	}
	server, err := grpctest.New(set, grpctest.V1, func(s grpctest.Stream) error {
		if s.Method.Name() == "Fail" {
			return status.Error(codes.Unavailable, "the store is away")
		}
		if _, err := s.Receive(); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if s.Method.Name() == "Slow" {
			select {
			case <-time.After(2 * time.Second):
			case <-s.Context().Done():
			}
		}
		return s.Answer(nil)
	}, opts...)
	ts.Check(err)
	addr, err := grpctest.Start(context.Background(), server)
	ts.Check(err)
	ts.Defer(server.Stop)
	return addr
}

func speaksRedis(ts *testscript.TestScript, args []string) string {
	path, err := exec.LookPath("redis-server")
	ts.Check(err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	addr := ln.Addr().String()
	ln.Close()
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(path, append([]string{"--port", port, "--save", "", "--dir", ts.MkAbs(".")}, args...)...)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 500 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr
		}
		<-time.After(20 * time.Millisecond)
	}
	ts.Fatalf("%s does not answer", path)
	return ""
}
