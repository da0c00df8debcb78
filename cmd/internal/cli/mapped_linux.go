package cli

import (
	"errors"
	"os"
	"syscall"
)

// mapFile maps a part of a file, which may lie behind its end. The error is one
// of errors.ErrUnsupported where the file cannot be mapped.
func mapFile(f *os.File, start int64, n int) ([]byte, error) {
	mem, err := syscall.Mmap(int(f.Fd()), start, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EINVAL) {
		return nil, errors.ErrUnsupported
	}
	return mem, os.NewSyscallError("mmap", err)
}

func unmapFile(mem []byte) error { return os.NewSyscallError("munmap", syscall.Munmap(mem)) }

// reserve takes room on the disk for a part of a file, and makes it so long. The
// error is one of errors.ErrUnsupported where the file system cannot.
func reserve(f *os.File, start, n int64) error {
	for {
		err := syscall.Fallocate(int(f.Fd()), 0, start, n)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ESPIPE):
			return errors.ErrUnsupported
		case err != nil:
			return &os.PathError{Op: "write", Path: f.Name(), Err: err}
		default:
			return nil
		}
	}
}
