//go:build !linux

package capture

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/gopkts/gopkts/common/link"
)

// pseudoInterface knows none.
func pseudoInterface(string) (link.Interface, bool) { return link.Interface{}, false }

// openGroup opens n backends that share the frames of an interface.
func openGroup(ifi link.Interface, n int, cfg *Config) ([]Backend, error) {
	b, err := open(ifi, cfg)
	if err != nil {
		return nil, err
	}
	if n > 1 {
		return nil, errors.Join(noFanout(cfg.Backend), b.Close())
	}
	return []Backend{b}, nil
}

func open(link.Interface, *Config) (Backend, error) {
	return nil, fmt.Errorf("%w: no capture backend for %s yet: capture elsewhere, or give NewSniffer a Backend", errors.ErrUnsupported, runtime.GOOS)
}

// noFanout is the error of a backend of which an interface has only one.
func noFanout(t BackendType) error {
	return fmt.Errorf("%w: backend %v cannot share the frames: ask for a group of one", errors.ErrUnsupported, t)
}
