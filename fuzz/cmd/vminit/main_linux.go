package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "vminit: is the first process of a virtual machine")
		os.Exit(1)
	}
	// The line that the host looks for.
	if err := run(); err != nil {
		fmt.Println("vm: FAILED:", err)
	} else {
		fmt.Println("vm: passed")
	}
	unix.Sync()
	// The first process must not end. The console is a serial line: what is on
	// its way goes out before the power is gone.
	time.Sleep(200 * time.Millisecond)
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("vm: power off:", err)
	}
	select {}
}

func run() error {
	for _, m := range []struct{ typ, on string }{
		{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/tmp"},
	} {
		if err := os.MkdirAll(m.on, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.typ, m.on, m.typ, 0, ""); err != nil && err != unix.EBUSY {
			return fmt.Errorf("mount %s: %w", m.on, err)
		}
	}
	modules, err := lines("/modules.txt")
	if err != nil {
		return err
	}
	for _, m := range modules {
		if err := load(m); err != nil {
			return err
		}
	}
	// What the kernel does not know of its command line comes here.
	for _, cable := range []string{"GOPKTS_VM_CABLE", "GOPKTS_VM_STAMPS"} {
		for name := range strings.SplitSeq(os.Getenv(cable), ",") {
			if name == "" {
				continue
			}
			if err := up(name); err != nil {
				return err
			}
		}
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err
	}
	fmt.Printf("vm: Linux %s %s, %d modules\n", unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:]), len(modules))
	tests, err := lines("/tests.txt")
	if err != nil {
		return err
	}
	failed := 0
	for _, t := range tests {
		if !test(strings.Fields(t)) {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d tests", failed, len(tests))
	}
	return nil
}

// lines are those of a file that are not empty.
func lines(name string) ([]string, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out, nil
}

// load loads a kernel module.
func load(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("load %s: %w", name, err)
	}
	return nil
}

// up takes an interface into use and waits until its cable is felt. IPv6 stays
// off, for its router solicitations would be on it.
func up(name string) error {
	err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	for range 200 {
		if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, r); err != nil {
			return err
		}
		if r.Uint16()&unix.IFF_RUNNING != 0 {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("%s has no carrier", name)
}

// test runs a program in a folder and reports whether it passed.
func test(words []string) bool {
	dir, args := words[0], words[1:]
	fmt.Printf("vm: %s: %s\n", dir, strings.Join(args, " "))
	start := time.Now()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
	cmd.Env = append(os.Environ(), "PATH=/bin", "HOME=/tmp", "TMPDIR=/tmp")
	if err := cmd.Run(); err != nil {
		fmt.Printf("vm: %s: FAILED after %.0f s: %v\n", dir, time.Since(start).Seconds(), err)
		return false
	}
	fmt.Printf("vm: %s: passed in %.0f s\n", dir, time.Since(start).Seconds())
	return true
}
