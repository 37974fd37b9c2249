//go:build !linux

package lab

import (
	"context"
	"os/exec"
	"time"
)

const (
	clientAddr   = "10.90.1.2"
	routerClient = "10.90.1.1"
	serverAddr   = "10.90.2.2"
	standbyAddr  = "10.90.3.2"
	virtualAddr  = "10.90.9.9"
)

type network struct{ client, router, server, standby string }

func (b *bench) network(bool) (*network, error)                          { return nil, errLinuxOnly }
func (b *bench) sysctl(_, _, _ string) error                             { return errLinuxOnly }
func (b *bench) globalSysctl(_, _ string) error                          { return errLinuxOnly }
func (b *bench) ip(string, ...string) error                              { return errLinuxOnly }
func (b *bench) in(_, _ string, _ ...string) error                       { return errLinuxOnly }
func (b *bench) nft(_, _ string) error                                   { return errLinuxOnly }
func (b *bench) watchFilter(_, _ string)                                 {}
func (b *bench) watchKernel(_, _ string, _ ...string) error              { return errLinuxOnly }
func (b *bench) watchConntrack(string, ...string)                        {}
func (b *bench) afterTraffic(string, time.Duration, func() error) error  { return errLinuxOnly }
func (b *bench) onTraffic(string, func(context.Context) error) error     { return errLinuxOnly }
func (b *bench) cgroup(_ string, _, _ map[string]string) (string, error) { return "", errLinuxOnly }
func (b *bench) program(string, []string, string, ...string) (*exec.Cmd, error) {
	return nil, errLinuxOnly
}

func inNetns(name string, f func() error) error {
	if name != "" {
		return errLinuxOnly
	}
	return f()
}
