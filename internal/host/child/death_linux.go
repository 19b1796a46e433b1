package child

import "syscall"

func setDeathSignal(attr *syscall.SysProcAttr, signal DeathSignal) { attr.Pdeathsig = signal }
