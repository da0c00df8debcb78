//go:build !linux

package cli

import (
	"errors"
	"os"
)

// Other systems map files, too, but what they do when there is no room on the
// disk for a page that is written to ends the program.

func mapFile(*os.File, int64, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapFile([]byte) error { return nil }

func reserve(*os.File, int64, int64) error { return errors.ErrUnsupported }
