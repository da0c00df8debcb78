//go:build !linux

package capture

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/gopkts/gopkts/common/link"
)

func open(link.Interface, *Config) (Backend, error) {
	return nil, fmt.Errorf("%w: no capture backend for %s yet: capture elsewhere, or give NewSniffer a Backend", errors.ErrUnsupported, runtime.GOOS)
}
