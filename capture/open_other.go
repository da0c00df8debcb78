//go:build !linux

package capture

import (
	"errors"
	"fmt"
	"runtime"
)

func open(string, *Config) (Backend, error) {
	return nil, fmt.Errorf("%w: no capture backend for %s yet: capture elsewhere, or give NewSniffer a Backend", errors.ErrUnsupported, runtime.GOOS)
}
