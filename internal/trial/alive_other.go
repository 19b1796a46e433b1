//go:build !unix

package trial

func alive(pid int) bool { return pid > 0 }
