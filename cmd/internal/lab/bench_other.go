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
	MovedAddr    = "10.90.2.3"
	StandbyAddr  = "10.90.3.2"
	VirtualAddr  = "10.90.9.9"
)

// Network is not there elsewhere.
type Network struct{ Client, Router, Server, Standby string }

func (*Bench) Network(bool) (*Network, error) { return nil, ErrLinuxOnly }

func (*Bench) Twin(*Network) (string, error) { return "", ErrLinuxOnly }
func (*Bench) Move(*Network) error           { return ErrLinuxOnly }
func (*Bench) StartTwin(string) error        { return ErrLinuxOnly }
func (*Bench) Announce(string) error         { return ErrLinuxOnly }

func (*Machine) Sysctl(_, _, _ string) error { return ErrLinuxOnly }

func (*Machine) GlobalSysctl(_, _ string) error { return ErrLinuxOnly }

func (*Machine) IP(string, ...string) error { return ErrLinuxOnly }

func (*Machine) In(_, _ string, _ ...string) error { return ErrLinuxOnly }

func (*Machine) NFT(_, _ string) error                                  { return ErrLinuxOnly }
func (*Witness) WatchFilter(_, _ string)                                {}
func (*Witness) WatchKernel(_, _ string, _ ...string) error             { return ErrLinuxOnly }
func (*Witness) WatchConntrack(string, ...string)                       {}
func (*Witness) AfterTraffic(string, time.Duration, func() error) error { return ErrLinuxOnly }

func (*Witness) OnTraffic(string, func(context.Context) error) error { return ErrLinuxOnly }

func (*Machine) Cgroup(_ string, _, _ map[string]string) (string, error) {
	return "", ErrLinuxOnly
}

func (*Programs) Logged(string, string, []string, string, ...string) (*exec.Cmd, error) {
	return nil, ErrLinuxOnly
}

func (*Programs) Program(string, []string, string, ...string) (*exec.Cmd, error) {
	return nil, ErrLinuxOnly
}

func inNetns(name string, f func() error) error {
	if name != "" {
		return ErrLinuxOnly
	}
	return f()
}
