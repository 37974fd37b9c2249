//go:build !linux

package lab

import (
	"context"
	"os/exec"
	"time"
)

const (
	clientAddr   = "10.90.1.2"
	RouterClient = "10.90.1.1"
	ServerAddr   = "10.90.2.2"
	StandbyAddr  = "10.90.3.2"
	VirtualAddr  = "10.90.9.9"
)

// Network is not there elsewhere.
type Network struct{ Client, Router, Server, Standby string }

func (b *Bench) Network(bool) (*Network, error)                          { return nil, ErrLinuxOnly }
func (b *Bench) Sysctl(_, _, _ string) error                             { return ErrLinuxOnly }
func (b *Bench) GlobalSysctl(_, _ string) error                          { return ErrLinuxOnly }
func (b *Bench) IP(string, ...string) error                              { return ErrLinuxOnly }
func (b *Bench) In(_, _ string, _ ...string) error                       { return ErrLinuxOnly }
func (b *Bench) NFT(_, _ string) error                                   { return ErrLinuxOnly }
func (b *Bench) WatchFilter(_, _ string)                                 {}
func (b *Bench) WatchKernel(_, _ string, _ ...string) error              { return ErrLinuxOnly }
func (b *Bench) WatchConntrack(string, ...string)                        {}
func (b *Bench) AfterTraffic(string, time.Duration, func() error) error  { return ErrLinuxOnly }
func (b *Bench) OnTraffic(string, func(context.Context) error) error     { return ErrLinuxOnly }
func (b *Bench) Cgroup(_ string, _, _ map[string]string) (string, error) { return "", ErrLinuxOnly }
func (b *Bench) Logged(string, string, []string, string, ...string) (*exec.Cmd, error) {
	return nil, ErrLinuxOnly
}

func (b *Bench) Program(string, []string, string, ...string) (*exec.Cmd, error) {
	return nil, ErrLinuxOnly
}

func inNetns(name string, f func() error) error {
	if name != "" {
		return ErrLinuxOnly
	}
	return f()
}
