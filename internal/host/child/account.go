package child

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
)

// Account is another user of this machine that a child runs as.
type Account struct {
	Name     string
	UID, GID uint32
}

// Unprivileged returns the account that a server which refuses root runs as: nil if we
// are not root, else the first of names that exists here.
func Unprivileged(names ...string) (*Account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range names {
		account, err := lookup(name)
		if err == nil {
			return account, nil
		}
		if _, unknown := errors.AsType[user.UnknownUserError](err); !unknown {
			return nil, fmt.Errorf("look up account %s: %w", name, err)
		}
	}
	return nil, fmt.Errorf("look up an account other than root: none of %v exists", names)
}

// Own makes the account the owner of path; a nil account changes nothing.
func (a *Account) Own(path string) error {
	if a == nil {
		return nil
	}
	if err := os.Lchown(path, int(a.UID), int(a.GID)); err != nil {
		return fmt.Errorf("give %s to %s: %w", path, a.Name, err)
	}
	return nil
}

func lookup(name string) (*Account, error) {
	found, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(found.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("read user id %q: %w", found.Uid, err)
	}
	gid, err := strconv.ParseUint(found.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("read group id %q: %w", found.Gid, err)
	}
	return &Account{Name: name, UID: uint32(uid), GID: uint32(gid)}, nil
}

// Apply makes cmd run as the account; a nil account changes nothing.
func (a *Account) Apply(cmd *exec.Cmd) {
	if a != nil {
		runAs(cmd, a)
	}
}
