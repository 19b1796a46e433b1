//go:build !unix

package child

import (
	"os"
	"os/exec"
	"syscall"
)

// DeathSignal is what the kernel sends a child when its parent dies.
type DeathSignal = syscall.Signal

func prepare(*exec.Cmd, Spec) {}

func runAs(*exec.Cmd, *Account) {}

func killGroup(p *os.Process) error { return p.Kill() }
