//go:build js || wasip1

package link

import (
	"errors"
	"fmt"
	"runtime"
)

func interfaces() ([]Interface, error) {
	return nil, fmt.Errorf("%s has no network interfaces: %w", runtime.GOOS, errors.ErrUnsupported)
}
