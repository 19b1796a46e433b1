//go:build unix

package child

import (
	"os"
	"os/exec"
	"syscall"
)

// DeathSignal is what the kernel sends a child when its parent dies.
type DeathSignal = syscall.Signal

func prepare(cmd *exec.Cmd, spec Spec) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	spec.Account.Apply(cmd)
	setDeathSignal(cmd.SysProcAttr, spec.OnDeath)
}

func runAs(cmd *exec.Cmd, a *Account) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.UID, Gid: a.GID}
}

func killGroup(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGKILL) }
