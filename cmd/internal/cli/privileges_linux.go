package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is who the program becomes.
type account struct {
	name     string
	uid, gid int
	groups   []int
}

// lookUpAccount returns the account of -Z: a name, or the number of one.
func lookUpAccount(name string) (*account, error) {
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			return nil, usagef("-Z %s: there is no such user", name)
		}
	}
	a := &account{name: u.Username}
	if a.uid, err = strconv.Atoi(u.Uid); err == nil {
		a.gid, err = strconv.Atoi(u.Gid)
	}
	if err != nil {
		return nil, err
	}
	if a.uid == 0 {
		return nil, usagef("-Z %s: that user has every privilege: name another one", name)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		n, err := strconv.Atoi(id)
		if err != nil {
			return nil, err
		}
		a.groups = append(a.groups, n)
	}
	return a, nil
}

// become makes this process, in all its threads, one of the account without any
// capability. There is no way back.
func (a *account) become() error {
	if syscall.Geteuid() != 0 {
		return fmt.Errorf("-Z %s: only root can become another user: leave -Z out", a.name)
	}
	// The order matters: who is not root any more cannot change the groups.
	// These functions of package syscall change every thread.
	if err := syscall.Setgroups(a.groups); err != nil {
		return fmt.Errorf("-Z %s: %w", a.name, os.NewSyscallError("setgroups", err))
	}
	if err := syscall.Setgid(a.gid); err != nil {
		return fmt.Errorf("-Z %s: %w", a.name, os.NewSyscallError("setgid", err))
	}
	if err := syscall.Setuid(a.uid); err != nil {
		return fmt.Errorf("-Z %s: %w", a.name, os.NewSyscallError("setuid", err))
	}
	if err := a.check(); err != nil {
		return fmt.Errorf("-Z %s: %w", a.name, err)
	}
	return nil
}

// check looks whether nothing is left. The kernel takes the capabilities of a
// process that root leaves, but can be told not to: SECBIT_NO_SETUID_FIXUP,
// capabilities(7).
func (a *account) check() error {
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		return err
	}
	if len(tasks) == 0 {
		return errors.New("/proc is missing: cannot see what capabilities are left")
	}
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // the thread has ended
		}
		if err != nil {
			return err
		}
		for line := range bytes.Lines(status) {
			name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
			switch string(name) {
			case "CapPrm", "CapEff", "CapAmb":
				if len(bytes.Trim(value, "0 \t")) > 0 {
					return fmt.Errorf("capabilities are left: %s", bytes.TrimSpace(line))
				}
			case "Uid", "Gid":
				id := a.uid
				if name[0] == 'G' {
					id = a.gid
				}
				for have := range bytes.FieldsSeq(value) {
					if string(have) != strconv.Itoa(id) {
						return fmt.Errorf("a thread is somebody else: %s", bytes.TrimSpace(line))
					}
				}
			}
		}
	}
	return nil
}
