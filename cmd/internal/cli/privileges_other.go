//go:build !linux

package cli

import (
	"errors"
	"fmt"
)

// account is who the program becomes.
type account struct{}

func lookUpAccount(name string) (*account, error) {
	return nil, fmt.Errorf("-Z %s: %w: only on Linux", name, errors.ErrUnsupported)
}

func (*account) become() error { return errors.ErrUnsupported }
